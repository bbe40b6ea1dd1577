import { invalid } from '../kernel/errors.ts'
import { encodePosition, eventAt, isTotal, offsetIn, type Position, TOTAL_ORDER } from '../kernel/position.ts'
import { endOf, streamNamed } from '../log/ends.ts'
import type { Log, Stream } from '../log/log.ts'
import type { Moment } from '../store/store.ts'
import { timeAt } from './moment-times.ts'
import { placeOf } from './past.ts'
import { readPosition } from './positions.ts'
import { reachAsked } from './reach.ts'
import type { Request } from './router.ts'
import type { Services } from './services.ts'
import { isTime, pastTimeOf } from './times.ts'

const FIELD = 'as_of'

/**
 * Waits until what a request reads, made of these topics, has reached its `min_position`, and gives the moment that its
 * `as_of` names; undefined for now. The answer says which place that is. Throws VALIDATION_ERROR, NOT_YET_PROJECTED, GONE
 * when that moment is no longer kept.
 */
export async function readMoment(request: Request, topics: readonly string[]): Promise<Moment | undefined> {
  const { exchange, services } = request
  await reachAsked(request, topics)
  const text = exchange.query.get(FIELD)
  if (text === null) return undefined
  const moment = await momentOf(services, text, topics)
  exchange.always['X-As-Of'] = encodePosition(placeOf(services.log, moment))
  return moment
}

/**
 * The moment that a position or a time means for what is read from these topics, once the read model has reached it. A
 * position includes its own event, a time what the log took at or before it. Throws as `readMoment` does.
 */
export async function momentOf(services: Services, text: string, topics: readonly string[]): Promise<Moment> {
  const { log, progress } = services
  const key = `${topics} ${text}`
  const { moment, time } = known.get(log)?.get(key) ?? (await worked(services, text, topics))
  if (time !== undefined && time < Date.now() - SETTLED_MS) remember(log, key, { moment, time })
  await progress.wait({ log: log.id, offsets: moment }, topics)
  return moment
}

interface Worked {
  readonly moment: Moment
  /** When it was, if the log was asked what it had by then. */
  readonly time?: number
}

/** After that long nobody adds an event from before: what the log had by a time is the same whenever it is asked. */
const SETTLED_MS = 10_000
const MOST_KNOWN = 1000
/** Moments that were worked out last: to ask brokers again takes longer than the read. */
const known = new WeakMap<Log, Map<string, Worked>>()

function remember(log: Log, key: string, worked: Worked): void {
  const moments = known.get(log) ?? new Map<string, Worked>()
  known.set(log, moments)
  moments.delete(key)
  moments.set(key, worked)
  if (moments.size > MOST_KNOWN) moments.delete(moments.keys().next().value!)
}

async function worked(services: Services, text: string, topics: readonly string[]): Promise<Worked> {
  const { log } = services
  const total = isTotal(log.place(streamsOf(log, topics)[0]!, 0))
  if (!isTime(text)) return byPosition(services, await readPosition(log, text, FIELD, topics), topics, total)
  const time = pastTimeOf(text, FIELD)
  return { moment: await byTime(log, topics, time, total), time }
}

/** The end of a message about something that was not there. */
export function asOfThen(moment: Moment | undefined): string {
  return moment ? ' as of that moment' : ''
}

function streamsOf(log: Log, topics: readonly string[]): Stream[] {
  return topics.flatMap(topic => log.streams(topic))
}

async function byTime(log: Log, topics: readonly string[], time: number, total: boolean): Promise<Moment> {
  const reached = new Map((await Promise.all(topics.map(topic => log.reachedBy(topic, time)))).flatMap(all => [...all]))
  // One order for all: the topics are at the same place of it.
  const last = Math.max(...reached.values())
  return total ? new Map([...reached.keys()].map(name => [name, last])) : reached
}

async function byPosition(
  services: Services,
  position: Position,
  topics: readonly string[],
  total: boolean,
): Promise<Worked> {
  const { log } = services
  await requireWritten(services, position, total)
  const named = streamsOf(log, topics).map(({ name }) => [name, eventAt(offsetIn(position, name))] as const)
  const unnamed = named.filter(([name]) => !position.offsets.has(name))
  if (unnamed.length === 0 || position.offsets.size === 0) return { moment: new Map(named) }
  if (total) return { moment: new Map(named.map(([name, offset]) => [name, Math.max(offset, ...lasts(position))])) }
  // What it does not name was where it was when the last of what it names was taken.
  const time = await timeAt(log, position)
  const reached = await byTime(log, topics, time, false)
  const offsets = named.map(
    ([name, offset]) => [name, position.offsets.has(name) ? offset : reached.get(name)!] as const,
  )
  return { moment: new Map(offsets), time }
}

function lasts({ offsets }: Position): number[] {
  return [...offsets.values()].map(eventAt)
}

/** Throws VALIDATION_ERROR for a position beyond the end of the log. */
async function requireWritten({ log, progress }: Services, position: Position, total: boolean): Promise<void> {
  for (const [name, place] of position.offsets) {
    const offset = eventAt(place)
    const [first = -1, ...rest] = progress.reached.values()
    // What is in the read model is in the log.
    if (offset <= (total ? Math.max(first, ...rest) : (progress.reached.get(name) ?? -1))) continue
    const end = name === TOTAL_ORDER ? await endOf(log) : await log.written(streamNamed(log, name))
    if (offset > end) throw invalid(FIELD, `${encodePosition(position).slice(0, 200)} is beyond the end of the log`)
  }
}
