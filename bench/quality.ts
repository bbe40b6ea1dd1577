import { startDilution } from '../src/domain/dilution.ts'
import { qualityOf } from '../src/domain/quality.ts'
import { addRecord, createQuality, replaceRecord } from '../src/domain/quality-state.ts'
import { mergeQuality, qualityTexts, readQuality } from '../src/domain/quality-texts.ts'
import { publicRows } from '../test/kit/noisy.ts'
import type { Bench } from './bench.ts'
import { median } from './measure.ts'
import { costOfProjection } from './quality-cost.ts'
import { recordParts } from './records.ts'

/** Records that are projected with and without the score: those of the other figures would take an hour. */
const PROJECTED = 200_000

const ROUNDS = 5
const STREAMS = 6
const BATCH = 10_000
/** So many digits have all numbers. */
const FIRST = 100_000_000

/** Nanoseconds of one of `count` works, the median of some rounds. */
function nanoseconds(count: number, work: () => void): number {
  work()
  const rounds = Array.from({ length: ROUNDS }, () => {
    const begun = process.cpuUsage()
    work()
    const { user, system } = process.cpuUsage(begun)
    return ((user + system) * 1000) / count
  })
  return Math.round(median(rounds))
}

export const quality: Bench = {
  name: 'quality',
  about: 'the score of many records, CPU time to count one for it, and by what share that makes projecting it dearer',
  async run(options) {
    const records = Number(options.records ?? 1_000_000)
    const small = Array.from({ length: 100_000 }, (_, n) => recordParts(n, n).data)
    const flights = publicRows('flights-20k.json')
    const add = (rows: readonly string[]) =>
      nanoseconds(rows.length, () => {
        const state = createQuality()
        for (const row of rows) addRecord(state, row)
      })
    const state = createQuality()
    for (const row of small) addRecord(state, row)
    const update_ns = nanoseconds(small.length, () => {
      for (const row of small) replaceRecord(state, row, 0, row)
    })
    // One in a hundred has the data of one other.
    const streams = Array.from({ length: STREAMS }, () => createQuality())
    let seconds = 0
    for (let from = 0; from < records; from += BATCH) {
      const rows = Array.from({ length: Math.min(BATCH, records - from) }, (_, i) => from + i).map(
        n => recordParts(0, FIRST + (n % 100 === 0 ? 1 : n)).data,
      )
      const begun = process.cpuUsage()
      for (const [i, row] of rows.entries()) addRecord(streams[(from + i) % STREAMS]!, row)
      const { user, system } = process.cpuUsage(begun)
      seconds += (user + system) / 1e6
    }
    const texts = streams.map(qualityTexts)
    let score = 0
    const score_ms = nanoseconds(1, () => {
      score = qualityOf(mergeQuality(texts.map(readQuality))).dimensions.uniqueness.score!
    })
    const made = await costOfProjection(PROJECTED, 0)
    const changed = await costOfProjection(PROJECTED, PROJECTED / 5)
    return {
      rows_per_s: Math.round(records / (seconds + score_ms / 1e9)),
      // What projecting costs with the score, as a multiple of what it does without.
      ratio: Math.max(made.ratio, changed.ratio),
      project_us: made.us,
      project_plain_us: made.plain_us,
      project_ratio: made.ratio,
      change_us: changed.us,
      change_plain_us: changed.plain_us,
      change_ratio: changed.ratio,
      add_ns: add(small),
      update_ns,
      flights_add_ns: add(flights),
      score_ms: Math.round(score_ms / 1e4) / 100,
      state_bytes: Math.max(...texts.map(each => each.profile.length + each.sample.length)),
      uniqueness_error: Math.round(Math.abs(score - 0.99) * 10_000) / 10_000,
    }
  },
}

/** The choice itself: three passes over rows that are there already, without the job around it. */
export const choice: Bench = {
  name: 'choice',
  about: 'rows a CPU second of a dilution of 1,000,000 rows, all passes, without the job around it',
  async run(options) {
    const records = Number(options.records ?? 1_000_000)
    const clean = publicRows('flights-20k.json')
    const source = Array.from({ length: records }, (_, n) => clean[n % clean.length]!.replace('2001', String(n)))
    const offered = clean.map((row, n) => row.replace('2001', String(records + n)))
    const state = createQuality()
    for (const row of offered) addRecord(state, row)
    const set = { id: 'd', state }
    const begun = process.cpuUsage()
    const dilution = startDilution({ ratio: 0.3, matchingFields: ['origin'], threshold: 0.8, seed: '1' })
    for (const [n, data] of source.entries()) dilution.source({ id: `s${n}`, data })
    dilution.plan([set])
    for (const [n, data] of offered.entries()) dilution.count(set, { id: `s${n}`, data })
    for (const [n, data] of offered.entries()) dilution.pick(set, { id: `s${n}`, data })
    const { diluted_records } = dilution.report()
    const { user, system } = process.cpuUsage(begun)
    const rows = records + 2 * offered.length
    return { rows_per_cpu_s: Math.round((rows / (user + system)) * 1e6), diluted_records }
  },
}
