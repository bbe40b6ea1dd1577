import type { ColumnProfile } from './quality-profile.ts'
import { profileOf } from './quality-profile.ts'
import { distinct } from './quality-sample.ts'
import { LATE, MAX_COLUMNS, type QualityState } from './quality-state.ts'
import { shapeName } from './quality-values.ts'
import type { JsonSchema } from './schema.ts'

/** The ways in which data can be good, each from 0 to 1. */
export const DIMENSIONS = ['completeness', 'validity', 'uniqueness', 'consistency', 'timeliness', 'accuracy'] as const
export type Dimension = (typeof DIMENSIONS)[number]

/** What takes from a score: so many of so many, in a column or, where that is null, in the records as a whole. */
export interface Reason {
  readonly column: string | null
  readonly message: string
  readonly count: number
  readonly of: number
}

export interface Score {
  /** Null, for timeliness and accuracy, when there is nothing to go by; the reason says what. */
  readonly score: number | null
  readonly formula: string
  /** The worst first, MAX_REASONS at most. */
  readonly reasons: readonly Reason[]
}

export interface Quality {
  /** The mean of the dimensions that have a score; 0 of a data set without records. */
  readonly quality_score: number
  readonly dimensions: Readonly<Record<Dimension, Score>>
}

export const MAX_REASONS = 20
const DIGITS = 4

export const FORMULAS: Readonly<Record<Dimension, string>> = {
  completeness:
    'filled values / (records × columns). Null, a text of nothing but blanks and an absent key are missing; a column is ' +
    'any that a record has or the schema requires.',
  validity:
    'values of the right type / values. With a schema the right type is what it says, and what it requires and is not ' +
    'there is wrong too; without one it is the type of most of the column’s filled values, all numbers being one type.',
  uniqueness:
    'different records / records. Records with equal data are one, whatever their ids, the order of their keys and the ' +
    'spelling of their values.',
  consistency:
    'texts written as most of their column / texts. Written alike is: in upper, lower or mixed case (capitals of 5 characters ' +
    'at most go with upper and mixed); with @; with stray blanks; or, without letters, with the same signs between the ' +
    'digits. Texts of more than 64 characters do not count.',
  timeliness:
    '(records that came within an hour of metadata.updated_at + 3/4 of those within a day + 1/2 within a week + 1/4 ' +
    'within 30 days) / records that have it.',
  accuracy:
    'records that keep the rules / records that were held against them. Rules are what the schema of the data set says of ' +
    'values beyond their types, when a record comes: ranges, lengths, patterns, formats, enumerations, conditions.',
}

/** The score of what a state has counted. `schema` is the one set for the data set, if one is. */
export function qualityOf(state: QualityState, schema?: JsonSchema): Quality {
  const columns = [...profileOf(state, schema).values()]
  const parts: Record<Dimension, Part> = {
    completeness: completeness(state, columns),
    validity: validity(columns),
    uniqueness: uniqueness(state),
    consistency: consistency(columns),
    timeliness: timeliness(state),
    accuracy: accuracy(state),
  }
  if (state.records === 0) {
    const reasons = [{ column: null, message: 'there are no records', count: 0, of: 0 }]
    for (const name of DIMENSIONS) {
      if (name !== 'timeliness' && name !== 'accuracy') parts[name] = { good: 0, of: 1, reasons }
    }
  }
  if (state.bound < 2 ** 32) {
    const message = `only ${MAX_COLUMNS} columns are looked at, whichever their hash chooses`
    for (const name of ['completeness', 'validity', 'consistency'] as const) {
      parts[name].reasons.unshift({ column: null, message, count: MAX_COLUMNS, of: MAX_COLUMNS })
    }
  }
  let [sum, known] = [0, 0]
  for (const { good, of } of Object.values(parts)) {
    if (of === 0) continue
    sum += good / of
    known++
  }
  const dimensions = Object.fromEntries(DIMENSIONS.map(name => [name, scoreOf(name, parts[name])]))
  return { quality_score: rounded(sum / known), dimensions: dimensions as Record<Dimension, Score> }
}

/** A share, of nothing when there is nothing to judge. */
interface Part {
  readonly good: number
  readonly of: number
  readonly reasons: Reason[]
}

function scoreOf(name: Dimension, { good, of, reasons }: Part): Score {
  return {
    score: of === 0 ? null : rounded(good / of),
    formula: FORMULAS[name],
    reasons: reasons.slice(0, MAX_REASONS),
  }
}

function rounded(value: number): number {
  return Math.round(value * 10 ** DIGITS) / 10 ** DIGITS
}

/** The sum over columns; what is not good, by column, the worst first. Where there is nothing to judge all is good. */
function byColumn(
  columns: readonly ColumnProfile[],
  share: (column: ColumnProfile) => [good: number, of: number],
  message: (column: ColumnProfile, bad: number, of: number) => string,
): Part {
  let [good, of] = [0, 0]
  const reasons: Reason[] = []
  for (const column of columns) {
    const [columnGood, columnOf] = share(column)
    good += columnGood
    of += columnOf
    const bad = columnOf - columnGood
    if (bad > 0)
      reasons.push({ column: column.name, message: message(column, bad, columnOf), count: bad, of: columnOf })
  }
  reasons.sort((a, b) => b.count / b.of - a.count / a.of || b.count - a.count || (a.column! < b.column! ? -1 : 1))
  return of === 0 ? { good: 1, of: 1, reasons } : { good, of, reasons }
}

function completeness({ records }: QualityState, columns: readonly ColumnProfile[]): Part {
  return byColumn(
    columns,
    ({ filled }) => [filled, records],
    (_column, bad, of) => `${bad} of ${of} are missing`,
  )
}

function validity(columns: readonly ColumnProfile[]): Part {
  return byColumn(
    columns,
    ({ valid, judged }) => [valid, judged],
    ({ expected }, bad, of) => `${bad} of ${of} are not ${expected}`,
  )
}

function consistency(columns: readonly ColumnProfile[]): Part {
  return byColumn(
    columns,
    ({ alike, shaped }) => [alike, shaped],
    ({ shape }, bad, of) => `${bad} of ${of} texts are not written as most: ${shapeName(shape)}`,
  )
}

function uniqueness({ records, sample, buckets }: QualityState): Part {
  const { count, exact } = distinct(sample, records, buckets)
  const twice = records - count
  const message = `${exact ? '' : 'about '}${twice} of ${records} have the data of another record`
  const reasons: Reason[] = twice > 0 ? [{ column: null, message, count: twice, of: records }] : []
  return { good: count, of: records, reasons }
}

function timeliness({ verdicts }: QualityState): Part {
  const counts = LATE.map((_, at) => verdicts.slice((at + 1) * 3, (at + 2) * 3).reduce((a, b) => a + b, 0))
  const of = counts.reduce((a, b) => a + b, 0)
  if (of === 0) {
    return { good: 0, of, reasons: [{ column: null, message: 'no record has metadata.updated_at', count: 0, of: 0 }] }
  }
  const most = LATE.length - 1
  // In quarters, to stay with whole numbers.
  const good = counts.reduce((sum, count, at) => sum + count * (most - at), 0)
  const reasons = counts.flatMap((count, at) => {
    const message =
      at === most ? `${count} of ${of} came later than 30 days` : `${count} of ${of} came ${LATE[at]} only`
    return count > 0 && at > 0 ? [{ column: null, message, count, of }] : []
  })
  return { good, of: of * most, reasons: reasons.reverse() }
}

function accuracy({ verdicts }: QualityState): Part {
  const count = (kept: number) => verdicts.reduce((sum, each, at) => sum + (at % 3 === kept ? each : 0), 0)
  const [good, bad] = [count(1), count(2)]
  const of = good + bad
  if (of === 0) {
    const message =
      'no record was held against rules: the schema of the data set has none, or had none when the records came'
    return { good: 0, of, reasons: [{ column: null, message, count: 0, of: 0 }] }
  }
  const message = `${bad} of ${of} break a rule`
  return { good, of, reasons: bad > 0 ? [{ column: null, message, count: bad, of }] : [] }
}
