import { type Events, topicOf } from '../../events/index.ts'
import { DomainError, invalid } from '../../kernel/errors.ts'
import { encodePosition, eventAt, mergePositions, offsetIn } from '../../kernel/position.ts'
import type { Log } from '../../log/log.ts'
import type { Principal } from '../auth/authenticate.ts'
import { readPosition } from '../positions.ts'

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
export function readAsked(query: URLSearchParams, { scopes }: Principal): Asked {
  const admin = scopes.includes('sync:admin')
  const types = listOf(query, 'type')
  for (const type of types) if (!TYPES.has(type)) throw invalid('type', `"${type.slice(0, 60)}" is no type of event`)
  const wanted = types.length > 0 ? new Set(types as EventType[]) : undefined
  const topics = listOf(query, 'topic')
  for (const topic of topics) {
    if (!TOPICS.includes(topic)) throw invalid('topic', `"${topic.slice(0, 60)}" is none of ${TOPICS.join(', ')}`)
    if (FOR_ADMINS.has(topic) && !admin) throw new DomainError('FORBIDDEN', `${topic} needs the scope sync:admin`)
  }
  const seen = topics.length > 0 ? topics : TOPICS.filter(topic => admin || !FOR_ADMINS.has(topic))
  const carried = wanted && new Set([...wanted].map(type => topicOf[type]))
  return {
    topics: [...new Set(seen)].filter(topic => !carried || carried.has(topic)),
    types: wanted,
    key: query.get('key') ?? undefined,
  }
}

function listOf(query: URLSearchParams, name: string): string[] {
  return query
    .getAll(name)
    .flatMap(each => each.split(','))
    .filter(each => each !== '')
}

/** Where a part of history begins and ends in each stream: after the one offset, up to and with the other. */
export interface Range {
  readonly after: ReadonlyMap<string, number>
  readonly through: ReadonlyMap<string, number>
}

/**
 * Reads `from`, which is not included, and `to`, which is: each a position or a time. Without them it is all there is
 * now. Throws VALIDATION_ERROR, and GONE when retention has taken events that it asks for.
 */
export async function readRange(log: Log, topics: readonly string[], from?: string, to?: string): Promise<Range> {
  if (isTime(from) && isTime(to) && timeOf(from, 'from') > timeOf(to, 'to')) throw invalid('from', 'it is after to')
  const [after, asked, ends] = await Promise.all([
    from === undefined ? new Map<string, number>() : placesOf(log, topics, from, 'from'),
    to === undefined ? undefined : placesOf(log, topics, to, 'to'),
    endsOf(log, topics),
  ])
  if (from !== undefined) await requireKept(log, topics, after)
  const through = new Map([...ends].map(([name, end]) => [name, Math.min(end, asked?.get(name) ?? end)]))
  const behind = (name: string) => (asked?.get(name) ?? Number.POSITIVE_INFINITY) - (after.get(name) ?? -1)
  const gaps = [...ends.keys()].map(behind)
  if (gaps.some(gap => gap < 0) && gaps.every(gap => gap <= 0)) throw invalid('from', 'it is after to')
  return { after, through }
}

async function requireKept(log: Log, topics: readonly string[], after: ReadonlyMap<string, number>): Promise<void> {
  const forgotten = new Map((await Promise.all(topics.map(topic => log.forgotten(topic)))).flatMap(each => [...each]))
  const lost = topics.find(topic => log.streams(topic).some(({ name }) => after.get(name)! < forgotten.get(name)!))
  if (lost === undefined) return
  const places = topics
    .flatMap(topic => log.streams(topic))
    .map(stream => log.place(stream, Math.max(after.get(stream.name)!, forgotten.get(stream.name)!)))
  const earliest = encodePosition(places.reduce(mergePositions))
  const message = `events of ${lost} after it are no longer kept; the earliest position is ${earliest}`
  throw new DomainError('GONE', `from: ${message}`, { details: [{ field: 'from', message }] })
}

async function endsOf(log: Log, topics: readonly string[]): Promise<Map<string, number>> {
  const all = await Promise.all(topics.map(topic => log.ends(topic)))
  return new Map(all.flatMap(ends => [...ends]))
}

async function placesOf(
  log: Log,
  topics: readonly string[],
  text: string,
  field: string,
): Promise<Map<string, number>> {
  if (!isTime(text)) {
    const position = await readPosition(log, text, field)
    const streams = topics.flatMap(topic => log.streams(topic))
    return new Map(streams.map(({ name }) => [name, eventAt(offsetIn(position, name))]))
  }
  const time = timeOf(text, field)
  const all = await Promise.all(topics.map(topic => log.reachedBy(topic, time)))
  return new Map(all.flatMap(reached => [...reached]))
}

const isTime = (text: string | undefined): text is string => text !== undefined && !text.includes('~')

const TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/i

function timeOf(text: string, field: string): number {
  // In a query a plus sign that was not escaped has become a space.
  const time = Date.parse(text.replace(' ', '+'))
  if (TIME.test(text.replace(' ', '+')) && Number.isFinite(time)) return time
  const shown = text.slice(0, 60)
  throw invalid(
    field,
    `expected a position that this API gave out, or a time such as 2026-01-31T12:00:00Z, got "${shown}"`,
  )
}
