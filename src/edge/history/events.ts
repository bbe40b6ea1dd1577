import { partitionOf } from '../../kernel/hash.ts'
import { timeOrderedId } from '../../kernel/id.ts'
import { encodePosition } from '../../kernel/position.ts'
import type { Codec, Decoded } from '../../log/codec.ts'
import { readHistory, type Told } from '../../log/history.ts'
import type { Log, StoredEvent, Stream } from '../../log/log.ts'
import type { Asked, Range } from './range.ts'

/** Bytes that are kept of each stream. */
const PAGE_BYTES = 524_288
/** Events that are looked at before the event loop has its turn. */
const EVENTS_A_TURN = 500

/** An event of the history, as JSON text; undefined for one that was looked at and not asked for. */
export interface Seen {
  readonly position: string
  readonly text: string | undefined
}

/** Reads a part of history in constant memory. Gives small groups: each one, and its reader may rest in between. */
export async function* readEvents(
  log: Log,
  codec: Codec,
  asked: Asked,
  range: Range,
  signal: AbortSignal,
): AsyncGenerator<readonly Seen[]> {
  const key = asked.key === undefined ? undefined : Buffer.from(asked.key)
  for await (const told of readHistory({ log, topics: asked.topics, ...range, pageBytes: PAGE_BYTES, signal })) {
    await codec.prepare(told.events)
    for (let from = 0; from < told.events.length; from += EVENTS_A_TURN) {
      const to = Math.min(told.events.length, from + EVENTS_A_TURN)
      const seen: Seen[] = []
      for (let i = from; i < to; i++) {
        const position = encodePosition(told.position(i))
        seen.push({ position, text: textOf(codec, asked, key, told, i, position) })
      }
      yield seen
      await new Promise(resolve => setImmediate(resolve))
    }
  }
}

function textOf(
  codec: Codec,
  { types }: Asked,
  wanted: Buffer | undefined,
  { stream, events }: Told,
  index: number,
  position: string,
): string | undefined {
  const event = events[index]!
  if (wanted && !event.key.equals(wanted)) return undefined
  const { type, data } = codec.decode(event.value)
  if (types && !types.has(type)) return undefined
  const key = JSON.stringify(event.key.toString())
  const time = new Date(event.time).toISOString()
  const head = `{"id":"${idOf(stream, event)}","topic":"${stream.topic}","type":"${type}","key":${key}`
  return `${head},"position":"${position}","time":"${time}","payload":${payloadOf({ type, data } as Decoded)}}`
}

/** The one type whose events hold bytes: rows as they came in, which JSON has no room for, stand in base64. */
function payloadOf({ type, data }: Decoded): string {
  if (type !== 'RecordRejected') return JSON.stringify(data)
  return JSON.stringify({ ...data, original: Buffer.from(data.original).toString('base64') })
}

const DIGITS = 9

/** The same for an event each time: its time, and its place. */
function idOf({ name }: Stream, { time, offset }: StoredEvent): string {
  const place = new Uint8Array(DIGITS + 3)
  const hash = partitionOf(Buffer.from(name), 32 ** 3)
  place[0] = hash >> 10
  place[1] = (hash >> 5) & 31
  place[2] = hash & 31
  for (let rest = offset, n = place.length - 1; n >= 3; n--, rest = Math.floor(rest / 32)) place[n] = rest % 32
  return timeOrderedId('evt', time, place)
}
