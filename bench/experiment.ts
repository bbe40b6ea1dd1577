import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { lookAtColumns, readAugmentation, startAugmenting, toldBy } from '../src/catalog/augmenters/index.ts'
import { AUGMENT_LIMITS } from '../test/kit/augmenting.ts'
import { type Random, seeded } from '../test/kit/random.ts'
import type { Bench, Figures } from './bench.ts'
import { accuracy, type Labelled, naiveBayes } from './classifier.ts'

const PACKAGE = 'vaderSentiment==3.3.2'
const FOLDER = fileURLToPath(new URL('../.tmp/parts/vader', import.meta.url))
const FILE = 'hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt'
const SIZES = [100, 500, 2000]
const SEEDS = [1, 2, 3, 4, 5]
const TEST_ROWS = 3000
const STRATEGIES = ['synonym_replacement', 'random_swap', 'random_deletion']

/**
 * 10,605 sentences of film reviews with the mean of what 20 people felt about each, by Hutto and Gilbert (ICWSM 2014). They
 * come with the source package of vaderSentiment on PyPI. Those near the middle are left out.
 */
function sentences(): Labelled[] {
  if (!existsSync(join(FOLDER, FILE))) {
    mkdirSync(FOLDER, { recursive: true })
    const options = { cwd: FOLDER, stdio: ['ignore', 'ignore', 'inherit'] as const }
    const pip = ['-m', 'pip', '--quiet', '--disable-pip-version-check', 'download', '--no-deps', '--no-binary', ':all:']
    execFileSync('python3', [...pip, PACKAGE], { ...options, stdio: [...options.stdio] })
    const name = PACKAGE.replace('==', '-')
    execFileSync('tar', ['xzf', `${name}.tar.gz`], { cwd: FOLDER })
    execFileSync('tar', ['xzf', `${name}/additional_resources/hutto_ICWSM_2014.tar.gz`], { cwd: FOLDER })
  }
  const lines = readFileSync(join(FOLDER, FILE), 'utf8').split('\n')
  return lines.flatMap(line => {
    const [, felt, text] = line.split('\t')
    const mean = Number(felt)
    return text && Math.abs(mean) >= 1 ? [{ text: text.trim(), label: mean > 0 ? 'good' : 'bad' }] : []
  })
}

async function augmented(rows: readonly Labelled[], strategy: string, seed: number): Promise<Labelled[]> {
  const given = { strategies: [strategy], multiplier: 4, label_columns: ['label'], text_columns: ['text'] }
  const request = readAugmentation(given, 'augmentation', AUGMENT_LIMITS, false)
  const look = lookAtColumns()
  const source = rows.map((row, n) => ({ id: String(n), data: JSON.stringify(row) }))
  for (const { data } of source) look.add(data)
  const run = startAugmenting(request, 'augmentation', {
    ...{ datasetId: 'ds', seed: String(seed), translator: null, limits: AUGMENT_LIMITS },
    facts: look.facts(toldBy(request)),
  })
  const made = await run.page(source)
  return [...rows, ...made.map(({ data }) => JSON.parse(data) as Labelled)]
}

function shuffled<T>(list: readonly T[], random: Random): T[] {
  const out = [...list]
  for (let at = out.length - 1; at > 0; at--) {
    const other = random.int(at + 1)
    ;[out[at], out[other]] = [out[other]!, out[at]!]
  }
  return out
}

export const experiment: Bench = {
  name: 'experiment',
  about:
    'accuracy of a naive Bayes classifier of film reviews, trained on some rows with and without rows made of them',
  async run() {
    const all = sentences()
    const sums = new Map<string, number>()
    const add = (name: string, value: number) => sums.set(name, (sums.get(name) ?? 0) + value / SEEDS.length)
    for (const seed of SEEDS) {
      const rows = shuffled(all, seeded(seed))
      const test = rows.slice(-TEST_ROWS)
      for (const size of SIZES) {
        const train = rows.slice(0, size)
        const without = accuracy(naiveBayes(train), test)
        add(`without_${size}`, without)
        for (const strategy of STRATEGIES) {
          const tell = naiveBayes(await augmented(train, strategy, seed))
          add(`${strategy}_${size}`, accuracy(tell, test))
        }
      }
    }
    const figures: Figures = { rows: all.length }
    for (const [name, mean] of sums) figures[name] = Math.round(mean * 1000) / 1000
    return figures
  },
}
