import type { QualityState } from '../domain/quality-state.ts'
import type { Moment } from '../store/store.ts'
import { type Change, changesOf, countRows, qualityStateOf, type Reads, undo } from './quality-reads.ts'

/** What was known of a data set after a change. */
export interface Point {
  /** Only until the next point is asked for. */
  readonly state: QualityState
  readonly lasts: Moment
  /** Of the change, milliseconds since 1970. */
  readonly time: number
  /** Changes that were taken back since the first point. */
  readonly undone: number
}

/** Changes that lie between two points at most: a push may be of any size. */
const MOST_BETWEEN = 20_000

/**
 * What was known of a data set after each of its changes, from a moment or now on backwards, as far as it is kept. Changes
 * of one time are one, as those of a push are, and `step` changes at least lie between two points.
 */
export async function* qualityHistory(
  store: Reads & { floors(): Promise<ReadonlyMap<string, number>> },
  dataset: string,
  asOf: Moment | undefined,
  step: number,
): AsyncGenerator<Point> {
  const known = await qualityStateOf(store, dataset, asOf)
  if (!known) return
  const { state } = known
  const floors = await store.floors()
  const ways = await Promise.all(
    [...known.lasts].map(([stream, last]) => wayBack(store, dataset, stream, last, floors)),
  )
  for (let undone = 0; ; ) {
    const newest = latest(ways)
    if (!newest) return
    const lasts = new Map(ways.filter(({ last }) => last >= 0).map(({ stream, last }) => [stream, last]))
    yield { state, lasts, time: newest.next!.time, undone }
    let time = Number.NaN
    for (let taken = 0; taken < MOST_BETWEEN; taken++, undone++) {
      const way = latest(ways)
      if (!way || (taken >= step && way.next!.time !== time)) break
      time = way.next!.time
      await way.take()
    }
    for (const way of ways) {
      const { stream, last, taken, floor } = way
      if (taken.length === 0) continue
      // Between the floor and what came before nothing has changed.
      const to = Math.max(way.next?.offset ?? -1, floor)
      await undo(store, state, dataset, stream, taken, { from: last, to })
      way.last = to
      way.taken = []
    }
  }
}

/** A stream's changes of a data set, from the newest on. */
interface Way {
  readonly stream: string
  /** The earliest offset of which it is known what was there; -1 for all. */
  readonly floor: number
  last: number
  next: Change | undefined
  taken: Change[]
  take(): Promise<void>
}

async function wayBack(
  store: Reads,
  dataset: string,
  stream: string,
  last: number,
  floors: ReadonlyMap<string, number>,
): Promise<Way> {
  const floor = floors.get(stream) ?? -1
  const changes = changesBack(store, dataset, stream, last)
  const nextOne = async () => {
    const { value } = await changes.next()
    return value && value.offset > floor ? value : undefined
  }
  const way: Way = {
    ...{ stream, floor, last, next: await nextOne(), taken: [] },
    async take() {
      way.taken.push(way.next!)
      way.next = await nextOne()
    },
  }
  return way
}

async function* changesBack(
  store: Reads,
  dataset: string,
  stream: string,
  last: number,
): AsyncGenerator<Change, undefined> {
  for await (const row of countRows(store, dataset, stream, last)) {
    for (const change of changesOf(row).reverse()) if (change.offset <= last) yield change
  }
}

/** The one whose next change is the newest. */
function latest(ways: readonly Way[]): Way | undefined {
  let found: Way | undefined
  for (const way of ways) {
    if (!way.next) continue
    const later = way.next.time - (found?.next?.time ?? Number.NEGATIVE_INFINITY)
    if (!found || later > 0 || (later === 0 && way.next.offset > found.next!.offset)) found = way
  }
  return found
}
