import { type Events, schemas, topicOf } from '../../src/events/index.ts'
import { batchWriter } from '../../src/log/batch.ts'
import type { Codec } from '../../src/log/codec.ts'
import type { EventBatch } from '../../src/log/log.ts'
import type { Random } from './random.ts'

export type EventName = keyof Events

/** An event with the key that it is written under. */
export interface MadeEvent {
  readonly type: EventName
  readonly topic: string
  readonly key: string
  readonly data: Events[EventName]
}

interface Schema {
  readonly type: string | Schema
  readonly name?: string
  readonly fields?: readonly { name: string; type: AnySchema }[]
  readonly items?: AnySchema
  readonly symbols?: readonly string[]
}
type AnySchema = string | Schema | readonly AnySchema[]

/** What readers in other languages stumble over: separators, quotes, NUL, marks, characters beyond the first plane. */
const TEXTS = [
  ...[
    'plain',
    '',
    'ä 你好 😀 👩‍🚀',
    '"quoted" \\ \\n',
    'line\nbreak\r\n',
    'a\u0000b',
    '\u0000',
    '\ufeffmark',
    '\uffff',
  ],
  ...["it's, a; list\t|", 'NaN', 'null', 'Infinity', '1e400', '-0', '007', '=1+1', '2026-02-30T25:61:61Z'],
  ...['{"n":12345678901234567890123.000,"d":-0.0,"e":1E+400,"t":"\\ud83d\\ude00"}', '[1,[2,{"a":null}]]'],
  'x'.repeat(5000),
]
const WHOLE = [
  0,
  1,
  -1,
  2 ** 31,
  -(2 ** 31) - 1,
  Number.MAX_SAFE_INTEGER - 1,
  Number.MIN_SAFE_INTEGER + 1,
  1_750_000_000_000,
]

/** A value of an Avro schema; `named` are the records and enums that it has met. */
function madeOf(random: Random, schema: AnySchema, named: Map<string, AnySchema>): unknown {
  if (Array.isArray(schema)) return madeOf(random, random.pick(schema), named)
  if (typeof schema === 'string')
    return named.has(schema) ? madeOf(random, named.get(schema)!, named) : plain(random, schema)
  const { type, name, fields, items, symbols } = schema as Schema
  if (name !== undefined) named.set(name, schema)
  if (type === 'record')
    return Object.fromEntries(fields!.map(field => [field.name, madeOf(random, field.type, named)]))
  if (type === 'array') return Array.from({ length: random.int(3) }, () => madeOf(random, items!, named))
  if (type === 'enum') return random.pick(symbols!)
  return madeOf(random, type, named)
}

function plain(random: Random, type: string): unknown {
  if (type === 'null') return null
  if (type === 'boolean') return random.chance(0.5)
  if (type === 'string') return random.pick(TEXTS)
  if (type === 'int' || type === 'long') return random.pick(WHOLE)
  if (type === 'double') return random.pick([0, -1.5, 1e300, 5e-324, 0.1])
  if (type === 'bytes') return Buffer.from(Array.from({ length: random.int(20) }, () => random.int(256)))
  throw new Error(`no value of Avro type ${type} is made here; add one`)
}

/** So many events of every type there is, with values of every kind. */
export function everyEvent(random: Random, each: number): MadeEvent[] {
  return (Object.keys(schemas) as EventName[]).flatMap(type =>
    Array.from({ length: each }, () => {
      const data = madeOf(random, schemas[type] as Schema, new Map()) as Events[EventName]
      return { type, topic: topicOf[type], key: random.pick(TEXTS), data }
    }),
  )
}

/** The same as a log takes them: a batch for each topic, in order. */
export function batchesOf(codec: Codec, events: readonly MadeEvent[]): EventBatch[] {
  return [...Map.groupBy(events, ({ topic }) => topic)].map(([topic, ofTopic]) => {
    const writer = batchWriter()
    for (const { type, key, data } of ofTopic) {
      writer.add(Buffer.from(key), (buffer, at) => codec.write(type, data, buffer, at))
    }
    return writer.take(topic)!
  })
}
