import { type Events, topicOf } from '../../events/index.ts'
import { DomainError, invalid } from '../../kernel/errors.ts'
import { encodePosition, eventAt, isTotal, mergePositions, offsetIn } from '../../kernel/position.ts'
import { isBeyondEnd } from '../../log/ends.ts'
import type { Log } from '../../log/log.ts'
import type { Principal } from '../auth/authenticate.ts'
import { readPosition } from '../positions.ts'
import { isTime, pastTimeOf, timeOf } from '../times.ts'

export type EventType = keyof Events

const TOPICS = [...new Set(Object.values(topicOf))].sort()
const TYPES = new Set(Object.keys(topicOf))
/** Who came in with what, and what was asked: hashes of keys are among it. */
const FOR_ADMINS = new Set(['sync.access', 'sync.commands', 'sync.outcomes'])

/** What a request asks of the history. */
export interface Asked {
  readonly topics: readonly string[]
  readonly types: ReadonlySet<EventType> | undefined
  readonly key: string | undefined
}

/** Reads `topic`, `type` and `key`: without a topic all that the caller may see. Throws VALIDATION_ERROR, FORBIDDEN. */
export function readAsked(query: URLSearchParams, principal: Principal): Asked {
  const given = { topics: listOf(query, 'topic'), types: listOf(query, 'type'), key: query.get('key') ?? undefined }
  return askedOf(given, principal)
}

/** The same of those who do not ask over a route of their own. */
export function askedOf(
  { topics, types, key }: { topics: readonly string[]; types: readonly string[]; key: string | undefined },
  principal: Principal,
): Asked {
  const admin = principal.scopes.includes('sync:admin')
  for (const type of types) if (!TYPES.has(type)) throw invalid('type', `"${type.slice(0, 60)}" is no type of event`)
  const wanted = types.length > 0 ? new Set(types as EventType[]) : undefined
  for (const topic of topics) {
    if (!TOPICS.includes(topic)) throw invalid('topic', `"${topic.slice(0, 60)}" is none of ${TOPICS.join(', ')}`)
    if (FOR_ADMINS.has(topic) && !admin) throw new DomainError('FORBIDDEN', `${topic} needs the scope sync:admin`)
  }
  const seen = topics.length > 0 ? topics : visibleTopics(principal)
  const carried = wanted && new Set([...wanted].map(type => topicOf[type]))
  return {
    topics: [...new Set(seen)].filter(topic => !carried || carried.has(topic)),
    types: wanted,
    key,
  }
}

/** The topics whose events a caller may see. */
export function visibleTopics({ scopes }: Principal): readonly string[] {
  return TOPICS.filter(topic => scopes.includes('sync:admin') || !FOR_ADMINS.has(topic))
}

function listOf(query: URLSearchParams, name: string): string[] {
  return query
    .getAll(name)
    .flatMap(each => each.split(','))
    .filter(each => each !== '')
}

/** A place in the history as a request names it: a position or a time, in this parameter. */
export interface Named {
  readonly field: string
  readonly text: string
}

/** The first of these parameters that a query has. */
export function namedIn(query: URLSearchParams, fields: readonly string[]): Named | undefined {
  const field = fields.find(each => query.get(each) !== null)
  return field === undefined ? undefined : { field, text: query.get(field)! }
}

/** Where a part of history begins and ends in each stream: after the one offset, up to and with the other. */
export interface Range {
  readonly after: ReadonlyMap<string, number>
  readonly through: ReadonlyMap<string, number>
}

/**
 * Reads where to begin, which is not included, and `to`, which is. Without them it is all there is now. Throws
 * VALIDATION_ERROR, also for a beginning that is still to come, and GONE when retention has taken events that it asks for.
 */
export async function readRange(log: Log, topics: readonly string[], from?: Named, to?: Named): Promise<Range> {
  const since = from && isTime(from.text) ? pastTimeOf(from.text, from.field) : undefined
  const until = to && timeIn(to)
  if (since !== undefined && until !== undefined && since > until) throw invalid(from!.field, 'it is after to')
  const [after, asked, ends] = await Promise.all([
    from === undefined ? forgottenOf(log, topics) : placesOf(log, topics, from),
    to === undefined ? undefined : placesOf(log, topics, to),
    endsOf(log, topics),
  ])
  if (from !== undefined) await requireWithin(log, topics, from, after)
  const through = new Map([...ends].map(([name, end]) => [name, Math.min(end, asked?.get(name) ?? end)]))
  const behind = (name: string) => (asked?.get(name) ?? Number.POSITIVE_INFINITY) - (after.get(name) ?? -1)
  const gaps = from === undefined ? [] : [...ends.keys()].map(behind)
  if (gaps.some(gap => gap < 0) && gaps.every(gap => gap <= 0)) throw invalid(from!.field, 'it is after to')
  return { after, through }
}

/** The position from which nothing is missing in these topics, when retention has taken events that come after `after`. */
export async function earliestAfter(
  log: Log,
  topics: readonly string[],
  after: ReadonlyMap<string, number>,
): Promise<{ topic: string; position: string } | undefined> {
  const forgotten = await forgottenOf(log, topics)
  const lost = topics.find(topic => log.streams(topic).some(({ name }) => after.get(name)! < forgotten.get(name)!))
  if (lost === undefined) return undefined
  const places = topics
    .flatMap(topic => log.streams(topic))
    .map(stream => log.place(stream, Math.max(after.get(stream.name)!, forgotten.get(stream.name)!)))
  return { topic: lost, position: encodePosition(places.reduce(mergePositions)) }
}

/** Throws VALIDATION_ERROR for a position beyond the end of the log, which nothing follows until it has come so far. */
async function requireWithin(
  log: Log,
  topics: readonly string[],
  from: Named,
  after: ReadonlyMap<string, number>,
): Promise<void> {
  if (timeIn(from) === undefined && (await isBeyondEnd(log, await readPosition(log, from.text, from.field))))
    throw invalid(from.field, `${from.text.slice(0, 200)} is beyond the end of the log`)
  await requireKept(log, topics, after, from.field)
}

async function requireKept(
  log: Log,
  topics: readonly string[],
  after: ReadonlyMap<string, number>,
  field: string,
): Promise<void> {
  const earliest = await earliestAfter(log, topics, after)
  if (!earliest) return
  const message = `events of ${earliest.topic} after it are no longer kept; the earliest position is ${earliest.position}`
  throw new DomainError('GONE', `${field}: ${message}`, { details: [{ field, message }] })
}

async function forgottenOf(log: Log, topics: readonly string[]): Promise<Map<string, number>> {
  return gathered(topics, topic => log.forgotten(topic))
}

/** Where these topics end, so that what comes before an event that is seen is seen too, where the log has one order. */
export async function endsOf(log: Log, topics: readonly string[]): Promise<Map<string, number>> {
  const ends = await gathered(topics, topic => log.ends(topic))
  if (topics.length < 2 || !inOneOrder(log, topics)) return ends
  // What was written while one topic after the other was asked may be seen in the later ones only: it waits for next time.
  const last = Math.max(...ends.values())
  const again = await gathered(topics, topic => log.ends(topic))
  return new Map([...again].map(([name, end]) => [name, Math.min(end, last)]))
}

/** Whether the events of all topics are in one order. */
export function inOneOrder(log: Log, topics: readonly string[]): boolean {
  const [first] = topics.flatMap(topic => log.streams(topic))
  return first !== undefined && isTotal(log.place(first, 0))
}

async function gathered(
  topics: readonly string[],
  ask: (topic: string) => Promise<ReadonlyMap<string, number>>,
): Promise<Map<string, number>> {
  return new Map((await Promise.all(topics.map(ask))).flatMap(each => [...each]))
}

/** The place of each stream that a position or a time names. Throws VALIDATION_ERROR. */
export async function placesOf(log: Log, topics: readonly string[], named: Named): Promise<Map<string, number>> {
  const time = timeIn(named)
  if (time !== undefined) return gathered(topics, topic => log.reachedBy(topic, time))
  const position = await readPosition(log, named.text, named.field)
  const streams = topics.flatMap(topic => log.streams(topic))
  return new Map(streams.map(({ name }) => [name, eventAt(offsetIn(position, name))]))
}

/** The time that is named, milliseconds since 1970; undefined for a position. Throws VALIDATION_ERROR for neither. */
export function timeIn({ field, text }: Named): number | undefined {
  return isTime(text) ? timeOf(text, field) : undefined
}
