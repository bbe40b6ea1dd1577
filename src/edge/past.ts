import { DomainError } from '../kernel/errors.ts'
import { encodePosition, mergePositions, type Position, topicOfStream } from '../kernel/position.ts'
import type { Log } from '../log/log.ts'
import { goneIn, type Moment } from '../store/store.ts'
import type { ReadStore } from '../threads/store.ts'

type KnownLog = Pick<Log, 'id' | 'streams' | 'place'>

/** A moment as a position. */
export function placeOf(log: KnownLog, moment: Moment): Position {
  const places = [...moment].flatMap(([name, offset]) => {
    const stream = log.streams(topicOfStream(name)).find(each => each.name === name)!
    return offset < 0 ? [] : [log.place(stream, offset)]
  })
  return places.reduce(mergePositions, { log: log.id, offsets: new Map() })
}

/** Throws GONE, naming the earliest position, when a moment needs versions that are no longer kept. */
export async function requireKept(store: Pick<ReadStore, 'floors'>, log: KnownLog, moment: Moment): Promise<void> {
  const floors = await store.floors()
  if (!goneIn(moment, floors)) return
  const kept = new Map([...moment].map(([name, offset]) => [name, Math.max(floors.get(name) ?? -1, offset)]))
  const message = `what was true then is no longer kept; the earliest position is ${encodePosition(placeOf(log, kept))}`
  throw new DomainError('GONE', `as_of: ${message}`, { details: [{ field: 'as_of', message }] })
}

/** A store that names the earliest position also when versions go while they are read. */
export function namingEarliest(store: ReadStore, log: KnownLog): ReadStore {
  async function named<T>(asOf: Moment | undefined, reading: Promise<T>): Promise<T> {
    try {
      return await reading
    } catch (error) {
      if (asOf && error instanceof DomainError && error.code === 'GONE') await requireKept(store, log, asOf)
      throw error
    }
  }
  return {
    load: (table, keys, asOf) => named(asOf, store.load(table, keys, asOf)),
    page: query => named(query.asOf, store.page(query)),
    count: query => named(query.asOf, store.count(query)),
    floors: () => store.floors(),
    generations: () => store.generations(),
  }
}
