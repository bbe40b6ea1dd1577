import { z } from 'zod'
import { DomainError, invalid } from '../../kernel/errors.ts'
import {
  type AugmentState,
  lookAtColumns,
  type Request,
  readAugmentation,
  startAugmenting,
  type Translator,
  toldBy,
} from '../augmenters/index.ts'
import {
  type DatasetRecord,
  defineConnector,
  type LogMoment,
  type PullContext,
  type PulledPage,
  SourceBusy,
} from './connector.ts'
import { datasetOf, madeState, originOf, pagesOfMoment, requireDatasets } from './made-of.ts'

const config = z.object({
  source: datasetOf,
  /** As it was asked for; see readAugmentation. */
  augmentation: z.unknown(),
  seed: z.string(),
  output: datasetOf,
})

export type AugmentationJob = z.infer<typeof config>

const counts = z.record(z.string(), z.int())
const state = madeState.extend({
  /** The last record of the source whose copies are written. */
  after: z.string().optional(),
  augmenting: z.object({ rows: z.int(), made: z.int(), refused: counts, owed: counts }).optional(),
})

type State = z.infer<typeof state>

const FIELD = 'augmentation'
const STRATEGIES = `${FIELD}.strategies`
/** Rows whose texts are translated between two checkpoints. */
const TRANSLATED_ROWS = 50

/**
 * Makes a data set of another one and rows made of its rows. Every run reads it as it was when the first one began; one that
 * goes on knows from the output what was made before.
 */
export const augmentation = defineConnector({
  type: 'augmentation',
  summary: 'Makes a data set of another one and rows made of its rows.',
  madeBy: 'POST /datasets/augment',
  heavy: 'memory',
  config,
  begin: last => last,
  result: (_config, last) => state.parse(last).result!,
  pull(config, last, context) {
    const before = last === undefined ? undefined : state.parse(last)
    return pagesOfMoment(before, config.output, context, from => augmented(config, from, context))
  },
})

async function* augmented(config: AugmentationJob, from: State, given: PullContext): AsyncGenerator<PulledPage> {
  const { source, output, seed } = config
  const ending = new AbortController()
  const signal = AbortSignal.any([given.signal, ending.signal])
  const context = { ...given, signal }
  const { log } = context
  const { moment } = from
  const datasets = requireDatasets(context)
  const limits = datasets.augmentation
  const request = readAugmentation(config.augmentation, FIELD, limits, datasets.translator !== undefined)
  const translator = await translatorFor(request, context)
  try {
    const all = { limit: context.pageRows, bytes: context.pageBytes, signal }
    const look = lookAtColumns()
    let originals = 0
    for await (const records of datasets.records(source.name, moment, all)) {
      originals += records.length
      for (const { data } of records) look.add(data)
    }
    if (signal.aborted) return
    if (originals === 0) throw invalid('dataset_id', 'the data set has no records')
    log('info', 'the source was read', { records: originals })
    const run = startAugmenting(request, FIELD, {
      ...{ datasetId: source.id, seed, facts: look.facts(toldBy(request)), translator, limits, signal },
      state: from.augmenting as AugmentState | undefined,
    })
    if (from.written > 0) await rememberMade(config, context, data => run.remember(data))

    let { written } = from
    const { multiplier } = request
    // As many as give a page with what is made of them.
    const rows = translator ? TRANSLATED_ROWS : Math.max(1, Math.floor(context.pageRows / multiplier))
    const bytes = Math.max(1, Math.floor(context.pageBytes / multiplier))
    let { after } = from
    for await (const records of datasets.records(source.name, moment, { after, limit: rows, bytes, signal })) {
      const made = await run.page(records)
      const own = records.map(record => ({ id: record.id, data: record.data, origin: originOf(record) }))
      written += own.length + made.length
      after = records.at(-1)!.id
      const { state: augmenting } = run
      // As many as there can be still: what was refused, and no other row has made up for, is gone.
      const lost = augmenting.rows * (multiplier - 1) - augmenting.made
      const total = originals * multiplier - Math.max(0, lost)
      yield { rows: [...own, ...made], state: { moment, written, after, augmenting } satisfies State, total }
    }
    if (signal.aborted) return
    if (run.forgets) log('warning', 'two made rows may be alike: there are more than are remembered', { written })
    const { made, refused } = run.state
    const counts = { original_records: originals, augmented_records: made, final_records: originals + made }
    const result = { output_dataset_id: output.id, ...counts, refused }
    yield { rows: [], state: { moment, written, after, augmenting: run.state, result } satisfies State, total: written }
  } finally {
    // Translations that nobody waits for any more.
    ending.abort()
    await translator?.close()
  }
}

/** Tells the rows that earlier runs, or this one before it was interrupted, have made. */
async function rememberMade(
  { source, output }: AugmentationJob,
  context: PullContext,
  remember: (data: string) => void,
): Promise<void> {
  const datasets = requireDatasets(context)
  const { signal, pageRows: limit, pageBytes: bytes } = context
  const now: LogMoment = await datasets.now(signal)
  // A row of the source that was made itself was made of another data set.
  const isMade = (record: DatasetRecord) => originOf(record)?.dataset_id === source.id
  for await (const records of datasets.records(output.name, now, { limit, bytes, signal })) {
    for (const record of records) if (isMade(record)) remember(record.data)
  }
}

/** The translator, when a strategy needs one. Fails with SourceBusy when it does not answer. */
async function translatorFor(request: Request, context: PullContext): Promise<Translator | null> {
  const needing = request.strategies.filter(({ entry }) => entry.needs === 'translator')
  if (needing.length === 0) return null
  const { guard, signal, answerBytes } = context
  const settings = requireDatasets(context).translator!
  const { openTranslator } = await import('../augmenters/translators/open.ts')
  const translator = await openTranslator({ ...settings, guard, signal, answerBytes }).catch(error => {
    // Not ours to be there: the run waits for it.
    if (error instanceof DomainError && error.code === 'UNAVAILABLE') throw notThere(error)
    throw error
  })
  for (const { entry, config } of needing) {
    const { language, via } = config as { language: string; via: string }
    const lacks = [
      [language, via],
      [via, language],
    ].find(([one, other]) => !translator.can(one!, other!))
    if (!lacks) continue
    await translator.close()
    const message = `${entry.name}: the translator at TRANSLATE_URL does not translate from ${lacks[0]} into ${lacks[1]}`
    throw invalid(STRATEGIES, message)
  }
  return {
    ...translator,
    translate: async (...asked) => {
      try {
        return await translator.translate(...asked)
      } catch (error) {
        throw error instanceof SourceBusy ? notThere(error) : error
      }
    },
  }
}

/** That the translator gives no answer, about what asks for it. */
function notThere({ message }: Error): SourceBusy {
  return new SourceBusy(message, undefined, [{ field: STRATEGIES, message }])
}
