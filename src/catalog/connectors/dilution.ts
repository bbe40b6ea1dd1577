import { z } from 'zod'
import { type DatasetRecord, defineConnector, type PullContext, type PulledPage } from './connector.ts'
import { datasetOf, madeState, originOf, pagesOfMoment, requireDatasets } from './made-of.ts'

const config = z.object({
  source: datasetOf,
  dilution: z.array(datasetOf),
  ratio: z.number(),
  matching_fields: z.array(z.string()),
  threshold: z.number(),
  seed: z.string(),
  output: datasetOf,
})

export type DilutionJob = z.infer<typeof config>

/** The last record that was looked at for the output: its data set's number, 0 for the source, and how many came before. */
const state = madeState.extend({ last: z.object({ set: z.int(), id: z.string(), seen: z.int() }).optional() })

type State = z.infer<typeof state>

/**
 * Makes a data set of a source and rows of others that go with it. Every run reads all of it as it was when the first one
 * began, and so chooses the same: one that goes on gives nothing until it is past what was written.
 */
export const dilution = defineConnector({
  type: 'dilution',
  summary: 'Makes a data set of another one and matching rows of good ones.',
  madeBy: 'POST /datasets/dilute',
  heavy: 'memory',
  config,
  begin: last => last,
  result: (_config, last) => state.parse(last).result!,
  pull(config, last, context) {
    const before = last === undefined ? undefined : state.parse(last)
    return pagesOfMoment(before, config.output, context, from => diluted(config, from, context))
  },
})

async function* diluted(config: DilutionJob, from: State, context: PullContext): AsyncGenerator<PulledPage> {
  const { source, dilution: sets, ratio, threshold, seed } = config
  const { signal, log, pageRows: limit, pageBytes: bytes } = context
  const datasets = requireDatasets(context)
  const { moment } = from
  const asked = { ratio, matchingFields: config.matching_fields, threshold, seed }
  const diluting = datasets.dilute(asked, await datasets.schema(source.name, moment))
  const read = (name: string, after?: string) => datasets.records(name, moment, { after, limit, bytes, signal })
  const each = async (name: string, use: (record: DatasetRecord) => void) => {
    for await (const page of read(name)) for (const record of page) use(record)
  }

  let originals = 0
  await each(source.name, record => {
    originals++
    diluting.source(record)
  })
  for (const { id, name } of sets) await each(name, record => diluting.look(id, record))
  if (signal.aborted) return
  diluting.plan()
  log('info', 'the source was read', { records: originals })
  for (const { id, name } of sets) await each(name, record => diluting.count(id, record))
  if (signal.aborted) return
  log('info', 'what matches was counted', { data_sets: sets.length })

  const total = originals + Math.round(ratio * originals)
  let { written, last } = from
  const page = (rows: PulledPage['rows'], set: number, id: string, seen: number): PulledPage => {
    written += rows.length
    last = { set, id, seen }
    return { rows, state: { moment, written, last } satisfies State, total }
  }
  if (last === undefined || last.set === 0) {
    let seen = last?.seen ?? 0
    for await (const records of read(source.name, last?.id)) {
      seen += records.length
      const rows = records.map(record => ({ id: record.id, data: record.data, origin: originOf(record) }))
      yield page(rows, 0, records.at(-1)!.id, seen)
    }
  }
  for (const [at, { id, name }] of sets.entries()) {
    const set = at + 1
    // What was written is chosen again, so that what comes after it is the same.
    const before = from.last === undefined || from.last.set < set ? 0 : from.last.set > set ? Infinity : from.last.seen
    let seen = 0
    for await (const records of read(name)) {
      const rows = records.flatMap(record => {
        const row = diluting.pick(id, record)
        return seen++ < before || !row ? [] : row
      })
      if (rows.length > 0) yield page(rows, set, records.at(-1)!.id, seen)
    }
  }
  if (signal.aborted) return
  const { shortfall, ...report } = diluting.report()
  const result = { output_dataset_id: config.output.id, ...report, ...(shortfall > 0 ? { shortfall } : {}) }
  yield { rows: [], state: { moment, written, last, result } satisfies State, total: written }
}
