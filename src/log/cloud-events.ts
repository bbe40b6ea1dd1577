import { randomBytes } from 'node:crypto'

/*
 * What makes a Kafka message a CloudEvent 1.0 (Kafka protocol binding, binary mode): headers that say what it is, so that
 * who routes it need not decode it. docs/events.md tells their readers what each one means.
 */

/** Where the schemas' names are. */
const NAMESPACE = 'superinsight.sync'
/** As the binding and its other producers have it. The registry's frame is around it, and names the schema. */
export const CONTENT_TYPE = 'application/avro'

export function eventTypeOf(record: string): string {
  return `${NAMESPACE}.${record}`
}

/** The context of a log's events: its id, under which no two events have the same `ce_id`. */
function sourceOf(log: string): string {
  return `/sync/${log}`
}

/** The attributes that all events of a type share. */
export function contextOf(log: string, record: string): Record<string, string> {
  return {
    ce_specversion: '1.0',
    ce_type: eventTypeOf(record),
    ce_source: sourceOf(log),
    'content-type': CONTENT_TYPE,
  }
}

const DIGITS = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_')
const BITS = 6
const RANDOM_BYTES = 9
/** Characters of an event's number. */
const NUMBER = 8
const LOW = 2
const LOW_RANGE = 1 << (LOW * BITS)
const HIGH_RANGE = 2 ** ((NUMBER - LOW) * BITS)

/** The headers of events, as a record batch has them. */
export interface EventHeaders {
  /** How many bytes those of one event are, at most. */
  readonly size: number
  /**
   * The headers of an event of the schema with this id, with an id of its own: none other of this log has it, whoever
   * writes it. Good until the next call; undefined for a schema that is none of the log's types.
   */
  next(schemaId: number): Buffer | undefined
}

/**
 * Ids are a random part, the writer's own, and a number. What all events of a type share is put together once; an event
 * costs the two last digits of its number.
 */
export function createEventHeaders(
  log: string,
  types: Iterable<readonly [record: string, schemaId: number]>,
): EventHeaders {
  const writer = randomBytes(RANDOM_BYTES).toString('base64url')
  const ofType = new Map<number, Buffer>()
  for (const [record, schemaId] of types) {
    ofType.set(schemaId, encodeHeaders({ ...contextOf(log, record), ce_id: `${writer}${'A'.repeat(NUMBER)}` }))
  }
  let [high, low] = [0, -1]

  /** Once in a while, the digits that change seldom. */
  function carry(): void {
    low = 0
    high = (high + 1) % HIGH_RANGE
    for (const headers of ofType.values()) {
      let rest = high
      for (let at = headers.length - LOW - 1; at >= headers.length - NUMBER; at--) {
        headers[at] = DIGITS[rest % 64]!
        rest = Math.floor(rest / 64)
      }
    }
  }

  return {
    size: Math.max(0, ...[...ofType.values()].map(({ length }) => length)),
    next(schemaId) {
      const headers = ofType.get(schemaId)
      if (!headers) return undefined
      if (++low === LOW_RANGE) carry()
      headers[headers.length - 2] = DIGITS[low >> BITS]!
      headers[headers.length - 1] = DIGITS[low & 63]!
      return headers
    },
  }
}

/** Headers as a record has them: how many there are, then each one's key and value with their lengths (zigzag). */
export function encodeHeaders(headers: Readonly<Record<string, string>>): Buffer {
  const entries = Object.entries(headers)
  const parts = entries.flatMap(([name, value]) => [sized(name), sized(value)])
  return Buffer.concat([zigzag(entries.length), ...parts])
}

function sized(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([zigzag(bytes.length), bytes])
}

function zigzag(value: number): Buffer {
  const bytes: number[] = []
  let rest = value * 2
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128)
  return Buffer.from([...bytes, rest])
}
