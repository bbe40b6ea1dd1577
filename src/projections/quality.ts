import { addRecord, createQuality, type QualityState, removeRecord, replaceRecord } from '../domain/quality-state.ts'
import { type QualityTexts, qualityTexts, readQuality } from '../domain/quality-texts.ts'
import { type Row, type Rows, versioned } from '../kernel/projection.ts'
import { countKey, datasetCounts } from './datasets.ts'

/**
 * What each stream has counted of a data set's records for its score: a row has one writer, as the counts have. It is
 * written over with every change, and followed by another after MOST_QUALITY_CHANGES: `offset` is the first change that is
 * in it, `last` the last. What it was between them follows from the records that changed meanwhile, which the counts name.
 */
export const datasetQuality = versioned({
  name: 'dataset_quality',
  columns: {
    dataset: 'text',
    stream: 'text',
    /** A state as text (domain/quality-texts.ts). */
    profile: 'text',
    sample: 'text',
    offset: 'integer',
    last: 'integer',
    /** How many changes lie between the two, with them. */
    size: 'integer',
  },
  key: ['dataset', 'stream'],
})

/** A state costs 5 KB, and a moment between two the reading of so many records at most. */
export const MOST_QUALITY_CHANGES = 2048

/** A row whose texts are made when they are asked for: once a transaction, whatever happens in it. */
interface LiveRow extends Row, QualityTexts {
  readonly dataset: string
  readonly stream: string
  readonly offset: number
  last: number
  size: number
}

/** What a live row stands for: a state, which is counted in, or its texts. */
interface Held {
  readonly key: string
  state: QualityState | undefined
  texts: QualityTexts | undefined
}

const helds = new WeakMap<Row, Held>()
let last: { row: Row; held: Held } | undefined

/** What a row stands for, if it is a live one, remembering the last: most changes go where the one before went. */
function heldBy(row: Row): Held | undefined {
  if (last?.row === row) return last.held
  const held = helds.get(row)
  if (held) last = { row, held }
  return held
}

/**
 * States that were written last, which nobody counts in: whoever reads the same texts need not parse them. They are taken
 * out to be counted in, so no two have one.
 */
const written = new Map<string, QualityState>()
const MOST_WRITTEN = 128

function textsOf(held: Held): QualityTexts {
  if (!held.texts) {
    const state = held.state!
    held.texts = qualityTexts(state)
    held.state = undefined
    written.delete(held.key)
    written.set(held.key, state)
    if (written.size > MOST_WRITTEN) written.delete(written.keys().next().value!)
  }
  return held.texts
}

/** The state, to be counted in. */
function stateOf(held: Held): QualityState {
  if (!held.state) {
    const { profile, sample } = held.texts!
    const known = written.get(held.key)
    const same = known && known.profileText === profile && known.sampleText === sample
    if (same) written.delete(held.key)
    held.state = same ? known : readQuality(held.texts!)
    held.texts = undefined
  }
  return held.state
}

function liveRow(
  held: Held,
  { dataset, stream, offset, last, size }: Pick<LiveRow, 'dataset' | 'stream' | 'offset' | 'last' | 'size'>,
): LiveRow {
  const row = {
    dataset,
    stream,
    get profile() {
      return textsOf(held).profile
    },
    get sample() {
      return textsOf(held).sample
    },
    offset,
    last,
    size,
  }
  helds.set(row, held)
  return row
}

/** The row that the next change goes into. */
function openRow(key: string, before: Row | undefined, dataset: string, stream: string, offset: number): LiveRow {
  const fresh = { dataset, stream, offset, last: offset, size: 0 }
  if (!before) return liveRow({ key, state: createQuality(), texts: undefined }, fresh)
  const goesOn = (before.size as number) < MOST_QUALITY_CHANGES
  if (goesOn && heldBy(before)) return before as LiveRow
  // Asked for now, for it stays as it is.
  const { profile, sample } = before as unknown as QualityTexts
  return liveRow({ key, state: undefined, texts: { profile, sample } }, goesOn ? (before as LiveRow) : fresh)
}

/** A change of a record: from what its row `was`, if it was there, to `data`, null once removed, with its verdict. */
export function countQuality(
  rows: Rows,
  dataset: string,
  { stream, offset }: { stream: string; offset: number },
  was: Row | undefined,
  data: string | null,
  verdict: number,
): void {
  const key = countKey(dataset, stream)
  const before = rows.get(datasetQuality, key)
  // Of records from before there was a score nothing is known: they get one when the rows are made anew.
  if (!before && rows.get(datasetCounts, key)) return
  const row = openRow(key, before, dataset, stream, offset)
  const state = stateOf(heldBy(row)!)
  const old = (was?.data as string | null | undefined) ?? null
  const oldVerdict = (was?.verdict as number | null | undefined) ?? 0
  if (old === null) addRecord(state, data!, verdict)
  else if (data === null) removeRecord(state, old, oldVerdict)
  else replaceRecord(state, old, oldVerdict, data, verdict)
  row.last = offset
  row.size++
  // A live row has been put already: its texts are asked for when the transaction is written.
  if (row !== before) rows.put(datasetQuality, key, row)
}
