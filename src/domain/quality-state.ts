import { endOfString, membersOf, objectText, quoted, unquoted } from '../kernel/members.ts'
import { BUCKETS, createSample, SAMPLE, type Sample, sample } from './quality-sample.ts'
import { mix, readValue, SHAPES, seen, skipBlank, TYPES } from './quality-values.ts'

/**
 * What has to be known of all records of a data set to give it a score: whole numbers only, one for each way a value can
 * be, by column. Records are taken in and away again, one by one and exactly; two states add up.
 */
export interface QualityState {
  records: number
  readonly columns: Map<string, Column>
  /** Hash of a column's name from which on columns are not kept: with more than MAX_COLUMNS these are the lowest hashes. */
  bound: number
  /** How many records there are of each verdict. */
  readonly verdicts: number[]
  /** All records by hash of their data: whether few of them make up most of it. */
  readonly buckets: number[]
  readonly sample: Sample
  /** The columns of the last record, in order: the next one has the same, mostly. */
  readonly order: (Column | null)[]
  /** The texts, while they are up to date. */
  profileText: string | null
  sampleText: string | null
}

export interface Column {
  readonly name: string
  /** The name as it stands in JSON. */
  readonly raw: string
  readonly hash: number
  readonly hashLow: number
  /** How many values are of each type, then how many texts of each shape. */
  readonly counts: number[]
  present: number
  /** The record that it was last seen in. */
  stamp: number
  gone: boolean
}

export const MAX_COLUMNS = 200
const MAX_NAME = 100
const NAME_SHOWN = 60
export const FIRST_SHAPE = TYPES.length
export const COUNTS = FIRST_SHAPE + SHAPES

/** The state of no records. `sampled` is how many different records it counts exactly, and more or less after that. */
export function createQuality(sampled = SAMPLE): QualityState {
  return {
    records: 0,
    columns: new Map(),
    bound: 2 ** 32,
    verdicts: new Array(VERDICTS).fill(0),
    buckets: new Array(BUCKETS).fill(0),
    sample: createSample(sampled),
    order: [],
    profileText: null,
    sampleText: null,
  }
}

/** How a record was judged beside its data: how late it came, and whether it keeps the rules. A row keeps it as it is. */
export const VERDICTS = 18
export const LATE = ['within an hour', 'within a day', 'within a week', 'within 30 days', 'later'] as const
const LATE_MS = [3_600_000, 86_400_000, 604_800_000, 2_592_000_000]

/**
 * The verdict on a record: a whole number below VERDICTS. `updatedAt` is when its own system says that it changed it, RFC
 * 3339, null where it does not say; `accurate` whether it keeps the data set's rules, null when it has none.
 */
export function verdictOf(receivedAt: number, updatedAt: string | null, accurate: boolean | null): number {
  let late = 0
  if (updatedAt !== null) {
    const ms = receivedAt - Date.parse(updatedAt)
    const at = LATE_MS.findIndex(most => ms <= most)
    late = (at < 0 ? LATE_MS.length : at) + 1
  }
  return late * 3 + (accurate === null ? 0 : accurate ? 1 : 2)
}

// One record at a time: what was found of it, before anything is counted.
const found: (Column | null)[] = []
const types: number[] = []
const shapes: number[] = []
const record = { stamp: 0, high: 0, low: 0, twice: false }

/** Takes a record in: its data as JSON text that has been checked, and its verdict. */
export function addRecord(state: QualityState, data: string, verdict = 0): void {
  count(state, data, verdict, 1)
}

/** Takes away a record that was taken in, by the same data and verdict. */
export function removeRecord(state: QualityState, data: string, verdict = 0): void {
  count(state, data, verdict, -1)
}

/** A record has other data, or another verdict, than it had. */
export function replaceRecord(state: QualityState, was: string, wasVerdict: number, data: string, verdict = 0): void {
  // In this order no column goes only to come again.
  count(state, data, verdict, 1)
  count(state, was, wasVerdict, -1)
}

function count(state: QualityState, data: string, verdict: number, by: number): void {
  let columns = scan(state, data, by > 0)
  // Of two values with one name the later counts, as everywhere.
  if (record.twice) columns = scan(state, objectText(membersOf(data)), by > 0)
  for (let i = 0; i < columns; i++) {
    const column = found[i]
    if (!column || column.gone) continue
    const { counts } = column
    counts[types[i]!]! += by
    if (shapes[i]! >= 0) counts[FIRST_SHAPE + shapes[i]!]! += by
    column.present += by
    if (column.present === 0) drop(state, column)
  }
  state.records += by
  state.verdicts[verdict]! += by
  const first = mix(record.high, record.low)
  const second = mix(record.low, record.high ^ columns)
  state.buckets[second & (BUCKETS - 1)]! += by
  if (sample(state.sample, first, second, by)) state.sampleText = null
  state.profileText = null
}

/** Reads a record's members into `found`, `types` and `shapes`, and its hash into `high` and `low`; gives back how many. */
function scan(state: QualityState, text: string, make: boolean): number {
  const { order } = state
  const stamp = (record.stamp + 1) | 0
  record.stamp = stamp
  let twice = false
  let high = 0
  let low = 0
  let n = 0
  let i = skipBlank(text, skipBlank(text, 0) + 1)
  while (text.charCodeAt(i) !== 125) {
    let column = order[n]
    if (column && standsAt(text, i, column.raw)) i += column.raw.length
    else {
      const end = endOfString(text, i)
      column = findColumn(state, spelling(text.slice(i, end)), make)
      order[n] = column
      i = end
    }
    let nameHigh = nameHash.high
    let nameLow = nameHash.low
    if (column) {
      nameHigh = column.hash
      nameLow = column.hashLow
      if (column.stamp === stamp) twice = true
      column.stamp = stamp
    }
    i = readValue(text, skipBlank(text, skipBlank(text, i) + 1))
    found[n] = column
    types[n] = seen.type
    shapes[n] = seen.shape
    high = (high + mix(nameHigh, seen.high)) | 0
    low = (low + mix(nameLow, seen.low)) | 0
    n++
    i = skipBlank(text, i)
    if (text.charCodeAt(i) === 44) i = skipBlank(text, i + 1)
  }
  record.high = high
  record.low = low
  record.twice = twice
  return n
}

/** As `startsWith`, which takes three times as long. */
function standsAt(text: string, i: number, raw: string): boolean {
  const { length } = raw
  for (let k = 0; k < length; k++) if (text.charCodeAt(i + k) !== raw.charCodeAt(k)) return false
  return true
}

/** The hash of the name that was looked for last. */
const nameHash = { high: 0, low: 0 }

function hashName(raw: string): void {
  readValue(raw, 0)
  nameHash.high = mix(seen.high, seen.low)
  nameHash.low = mix(seen.low, seen.high)
}

/** A name as it stands in JSON, spelt as all its spellings are here; of a very long one the beginning and a hash. */
export function spelling(raw: string): string {
  const spelt = raw.includes('\\') ? quoted(unquoted(raw)) : raw
  if (spelt.length <= MAX_NAME) return spelt
  hashName(spelt)
  const hash = (nameHash.high >>> 0).toString(36) + (nameHash.low >>> 0).toString(36)
  return quoted(`${unquoted(spelt).slice(0, NAME_SHOWN)}…${hash}`)
}

/** What a column of this name is called here: its name, or what `spelling` makes of a very long one. */
export function columnName(name: string): string {
  const raw = quoted(name)
  return raw.length <= MAX_NAME ? name : unquoted(spelling(raw))
}

/** Whether a column's name may be one that was cut. */
export function isCutName(name: string): boolean {
  return name.length > NAME_SHOWN && name[NAME_SHOWN] === '…'
}

/** Whether a column of this name is counted, if there is one: of more than MAX_COLUMNS not all are. */
export function isLookedAt({ bound }: QualityState, name: string): boolean {
  hashName(spelling(quoted(name)))
  return nameHash.high >>> 0 < bound
}

/** The column of a name, and the name's hash in any case; null for one that is not kept. */
function findColumn(state: QualityState, raw: string, make: boolean): Column | null {
  hashName(raw)
  const known = state.columns.get(raw)
  if (known) return known
  return make && nameHash.high >>> 0 < state.bound ? addColumn(state, raw, new Array(COUNTS).fill(0), 0) : null
}

export function addColumn(state: QualityState, raw: string, counts: number[], present: number): Column {
  hashName(raw)
  const name = unquoted(raw)
  const column = { name, raw, hash: nameHash.high, hashLow: nameHash.low, counts, present, stamp: 0, gone: false }
  state.columns.set(raw, column)
  if (state.columns.size > MAX_COLUMNS) {
    const last = [...state.columns.values()].reduce((a, b) => (a.hash >>> 0 > b.hash >>> 0 ? a : b))
    state.bound = last.hash >>> 0
    drop(state, last)
  }
  return column
}

function drop(state: QualityState, column: Column): void {
  column.gone = true
  state.columns.delete(column.raw)
  state.order.length = 0
}
