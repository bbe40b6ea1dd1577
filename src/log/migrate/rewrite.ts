import avro from 'avsc'
import { streamName } from '../../kernel/position.ts'
import type { StoredEvent } from '../log.ts'
import type { Layout } from './layout.ts'
import { damaged, type Source } from './source.ts'

/** Where an event has the place of another one. */
interface Reference {
  readonly topic: string
  /** The fields with the stream and the offset there. */
  readonly stream: string
  readonly offset: string
  /** The other event's key, where it is not this one's. */
  key?(event: Record<string, unknown>): string
}

const RECORD: Reference = { topic: 'sync.records', stream: 'source_stream', offset: 'source_offset' }

/**
 * Fields that hold the place of another event: the stream and the offset there. The embedded log counts through all its
 * topics, Kafka counts in each partition, so the numbers change.
 */
export const REFERENCES: Readonly<Record<string, Reference>> = {
  RecordChanged: RECORD,
  ConflictTold: RECORD,
  ConflictDetected: { ...RECORD, key: ({ dataset, record_id }) => `${dataset}\0${record_id}` },
  CommandDecided: { topic: 'sync.commands', stream: 'command_stream', offset: 'command_offset' },
}

/** Where the copied events of a topic begin on Kafka: for each partition, the offset of the first one still at hand. */
export type Bases = ReadonlyMap<string, readonly number[]>

interface Place {
  readonly stream: string
  readonly offset: number
}

/**
 * Gives the value that an event has on Kafka: the same Avro body, under the id that the registry has for the schema of
 * its writer, with places of other events in numbers of Kafka. Called with the events of one topic in order; takes
 * constant memory, for the events they point at come in the same order.
 */
export function createRewriter(options: {
  source: Source
  layouts: ReadonlyMap<string, Layout>
  bases: Bases
  /** The registry's id for each schema of the source. */
  schemaIds: ReadonlyMap<number, number>
}): (event: StoredEvent, topic: string) => Buffer {
  const { source, layouts, bases, schemaIds } = options
  const schemas = new Map(source.schemas.map(schema => [schema.id, schema]))
  const types = new Map<number, avro.Type>()
  const walks = new Map<string, Walk>()

  function placeOf(topic: string, offset: number, key: Buffer): Place {
    let walk = walks.get(topic)
    if (!walk) {
      walk = createWalk(source, layouts.get(topic)!, bases.get(topic)!)
      walks.set(topic, walk)
    }
    return walk.placeOf(offset, key)
  }

  function repoint({ offset, key, value }: StoredEvent, id: number, name: string, topic: string): Buffer {
    const { topic: target, stream: streamField, offset: offsetField, key: keyOf } = REFERENCES[name]!
    let type = types.get(id)
    if (!type) {
      type = avro.Type.forSchema(schemas.get(id)!.body as avro.Schema)
      types.set(id, type)
    }
    const { value: event, offset: end } = type.decode(value, FRAME) as {
      value: Record<string, unknown>
      offset: number
    }
    if (end < 0) throw damaged(source.file, `${topic}, event ${offset}: ends early`)
    const pointed = keyOf ? Buffer.from(keyOf(event)) : key
    const place = placeOf(target, event[offsetField] as number, pointed)
    const body = type.toBuffer({ ...event, [streamField]: place.stream, [offsetField]: place.offset })
    return Buffer.concat([value.subarray(0, FRAME), body])
  }

  return (event, topic) => {
    const { offset, value } = event
    const id = value.length >= FRAME && value[0] === 0 ? value.readUInt32BE(1) : -1
    const schema = schemas.get(id)
    const newId = schemaIds.get(id)
    if (!schema || newId === undefined)
      throw damaged(source.file, `${topic}, event ${offset}: has no schema that belongs to the topic`)
    const rewritten = REFERENCES[schema.name] ? repoint(event, id, schema.name, topic) : Buffer.from(value)
    rewritten.writeUInt32BE(newId, 1)
    return rewritten
  }
}

const FRAME = 5

/** A walk along a topic that counts its events by partition, to tell where on Kafka each of them is. */
interface Walk {
  /** The place of the event at `offset`, which has this key. */
  placeOf(offset: number, key: Buffer): Place
}

function createWalk(source: Source, layout: Layout, base: readonly number[]): Walk {
  const { topic, since } = layout
  let events: Iterator<StoredEvent>
  let ahead: StoredEvent | undefined
  let reached: number
  let first: number
  let next: number[]

  function begin(): void {
    events = source.events(topic.name, -1, since)[Symbol.iterator]()
    next = [...base]
    reached = -1
    step()
    first = ahead?.offset ?? Number.POSITIVE_INFINITY
  }
  function step(): void {
    const result = events.next()
    ahead = result.done ? undefined : result.value
  }
  begin()

  return {
    placeOf(offset, key) {
      // Logs hold repeats from before projectors told every change once: those point back, and the walk begins again.
      if (offset < reached) begin()
      for (; ahead && ahead.offset <= offset; step()) {
        reached = ahead.offset
        const partition = layout.partitionOf(ahead.key)
        next[partition] = next[partition]! + 1
      }
      // One that retention has taken has no place any more: what points at it points at the one before it.
      if (reached !== offset && offset >= first)
        throw damaged(source.file, `an event points at ${topic.name} ${offset}, which is not there`)
      const partition = layout.partitionOf(key)
      return { stream: streamName(topic.name, partition), offset: next[partition]! - 1 }
    },
  }
}
