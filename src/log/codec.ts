import avro from 'avsc'
import { type Events, schemas } from '../events/index.ts'
import { batchWriter, PackedEvent } from './batch.ts'
import type { EventBatch, Log, StoredEvent } from './log.ts'
import { liftOf } from './upcasters.ts'

/** An event read from the log, as today's schema has it. */
export type Decoded = { [Name in keyof Events]: { type: Name; data: Events[Name] } }[keyof Events]

/** Turns events into the log's bytes and back: Avro in Confluent's wire format (0, schema id, Avro body). */
export interface Codec {
  /** Writes one event's value at `at` and returns the index after it; past the buffer's end: it did not fit. */
  write<Name extends keyof Events>(type: Name, event: Events[Name], buffer: Buffer, at: number): number
  /** One event as a batch of its own. */
  batch<Name extends keyof Events>(topic: string, type: Name, key: string, event: Events[Name]): EventBatch
  /** Makes sure that the schemas of these events are at hand, asking the log for those not seen before. */
  prepare(events: readonly StoredEvent[]): Promise<void>
  /** Decodes one event; one of an older schema is resolved to today's and lifted (upcasters.ts). `prepare` must have seen it. */
  decode(value: Buffer): Decoded
  /** Decodes an event of a page, where it lies. */
  read(event: StoredEvent): Decoded
}

const FRAME = 5

/** Avro types of today's schemas. Longs are numbers: milliseconds, offsets and versions stay below 2^53. */
const types = new Map<keyof Events, avro.Type>(
  Object.entries(schemas).map(([name, schema]) => [name as keyof Events, avro.Type.forSchema(schema as avro.Schema)]),
)

interface Reader {
  type: keyof Events
  resolver: avro.Resolver | undefined
  /** What an older schema's events become besides: a named upcaster, or several. */
  lift: ((event: object) => object) | undefined
}

/** The id of the schema that a value was written by. What comes after a value in its page is not read for it. */
function schemaOf(bytes: Buffer, at: number, end: number): number {
  if (end - at < FRAME) throw new Error(`a value of ${end - at} bytes has no schema`)
  return bytes.readUInt32BE(at + 1)
}

export function createCodec(log: Pick<Log, 'schemaId' | 'schema'>): Codec {
  const ids = new Map([...types.keys()].map(name => [name, log.schemaId(name)]))
  const readers = new Map<number, Reader>()
  for (const [name, id] of ids) readers.set(id, { type: name, resolver: undefined, lift: undefined })

  async function learn(id: number): Promise<void> {
    const schema = await log.schema(id)
    const writer = avro.Type.forSchema(schema as avro.Schema)
    const name = (writer.name ?? '').split('.').at(-1) as keyof Events
    const today = types.get(name)
    if (!today) throw new Error(`the log has an event of type ${writer.name}, which this version does not know`)
    readers.set(id, { type: name, resolver: today.createResolver(writer), lift: liftOf(name, schema) })
  }

  function write<Name extends keyof Events>(type: Name, event: Events[Name], buffer: Buffer, at: number): number {
    const body = at + FRAME
    if (body <= buffer.length) {
      buffer[at] = 0
      buffer.writeUInt32BE(ids.get(type)!, at + 1)
    }
    const end = types.get(type)!.encode(event, buffer, Math.min(body, buffer.length))
    // avsc answers a negative number, how many bytes were missing, when it ran out of room.
    return end < 0 ? buffer.length - end + FRAME : end
  }

  function decodeAt(bytes: Buffer, at: number, end: number): Decoded {
    const id = schemaOf(bytes, at, end)
    const reader = readers.get(id)
    if (!reader) throw new Error(`schema ${id} was not prepared`)
    const { value: data, offset } = types.get(reader.type)!.decode(bytes, at + FRAME, reader.resolver)
    if (offset < 0 || offset > end) throw new Error(`a ${reader.type} event ends early`)
    return { type: reader.type, data: reader.lift ? reader.lift(data) : data } as Decoded
  }

  return {
    write,
    batch(topic, type, key, event) {
      const writer = batchWriter(1024)
      writer.add(Buffer.from(key), (buffer, at) => write(type, event, buffer, at))
      return writer.take(topic)!
    },
    async prepare(events) {
      for (const event of events) {
        const id =
          event instanceof PackedEvent
            ? schemaOf(event.bytes, event.valueStart, event.valueEnd)
            : schemaOf(event.value, 0, event.value.length)
        if (!readers.has(id)) await learn(id)
      }
    },
    decode: value => decodeAt(value, 0, value.length),
    read: event =>
      event instanceof PackedEvent
        ? decodeAt(event.bytes, event.valueStart, event.valueEnd)
        : decodeAt(event.value, 0, event.value.length),
  }
}
