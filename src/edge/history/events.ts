import { partitionOf } from '../../kernel/hash.ts'
import { timeOrderedId } from '../../kernel/id.ts'
import { keyText } from '../../log/batch.ts'
import type { Codec, Decoded } from '../../log/codec.ts'
import { readHistory, type Told } from '../../log/history.ts'
import type { Log, StoredEvent, Stream } from '../../log/log.ts'
import type { Asked, Range } from './range.ts'

/** Events that one page looks at, so that a rare key does not make one request read all there are. */
export const MOST_LOOKED_AT = 100_000
/** Bytes that are kept of each stream. */
const PAGE_BYTES = 524_288
/** Events that are looked at before the event loop has its turn. */
const EVENTS_A_TURN = 500

/** An event of the history. */
export interface HistoryEvent {
  readonly id: string
  readonly topic: string
  readonly type: string
  readonly key: string
  readonly position: string
  /** RFC 3339. */
  readonly time: string
  /** JSON text. */
  readonly payload: string
}

/** An event that was looked at; undefined when it was not asked for. */
export interface Seen {
  readonly position: string
  readonly event: HistoryEvent | undefined
}

/** Reads a part of history in constant memory. Gives small groups: each one, and its reader may rest in between. */
export async function* readEvents(
  log: Log,
  codec: Codec,
  asked: Asked,
  range: Range,
  signal: AbortSignal,
  pageBytes = PAGE_BYTES,
): AsyncGenerator<readonly Seen[]> {
  const key = asked.key === undefined ? undefined : Buffer.from(asked.key)
  for await (const told of readHistory({ log, topics: asked.topics, ...range, pageBytes, signal })) {
    await codec.prepare(told.events)
    for (let from = 0; from < told.events.length; from += EVENTS_A_TURN) {
      const to = Math.min(told.events.length, from + EVENTS_A_TURN)
      const seen: Seen[] = []
      for (let i = from; i < to; i++) {
        const position = told.position(told.events[i]!.offset)
        seen.push({ position, event: eventAt(codec, asked, key, told, i, position) })
      }
      yield seen
      await new Promise(resolve => setImmediate(resolve))
    }
  }
}

function eventAt(
  codec: Codec,
  { types }: Asked,
  wanted: Buffer | undefined,
  { stream, events }: Told,
  index: number,
  position: string,
): HistoryEvent | undefined {
  const event = events[index]!
  if (wanted && !event.key.equals(wanted)) return undefined
  const { type, data } = codec.read(event)
  if (types && !types.has(type)) return undefined
  remember(event.time)
  const id = lastId + placeOf(stream, event)
  const key = keyText(event)
  const payload = payloadOf({ type, data } as Decoded)
  return { id, topic: stream.topic, type, key, position, time: lastText, payload }
}

/** An event as JSON text. */
export function jsonOf({ id, topic, type, key, position, time, payload }: HistoryEvent): string {
  const head = `{"id":"${id}","topic":"${topic}","type":"${type}","key":${JSON.stringify(key)}`
  return `${head},"position":"${position}","time":"${time}","payload":${payload}}`
}

/** The one type whose events hold bytes: rows as they came in, which JSON has no room for, stand in base64. */
function payloadOf({ type, data }: Decoded): string {
  if (type !== 'RecordRejected') return JSON.stringify(data)
  return JSON.stringify({ ...data, original: Buffer.from(data.original).toString('base64') })
}

const NO_PART = new Uint8Array(0)
let lastTime = -1
let lastText = ''
let lastId = ''

/** An event's time as text and as an id begins with it, remembering the last one: whole batches share it. */
function remember(time: number): void {
  if (time === lastTime) return
  lastTime = time
  lastText = new Date(time).toISOString()
  lastId = timeOrderedId('evt', time, NO_PART)
}

/** The rest of an event's id, the same each time: its place. */
function placeOf({ name }: Stream, { offset }: StoredEvent): string {
  return streamPart(name) + offset.toString(32).padStart(9, '0')
}

const parts = new Map<string, string>()

/** Three characters for a stream. */
function streamPart(name: string): string {
  let part = parts.get(name)
  if (part === undefined) {
    part = partitionOf(Buffer.from(name), 32 ** 3)
      .toString(32)
      .padStart(3, '0')
    parts.set(name, part)
  }
  return part
}
