import type { Position } from '../kernel/position.ts'

/**
 * The port to the event log. `test/contracts/log.ts` runs these laws against every adapter:
 *
 * 1. Durable. `append` resolves when the events are fsynced (embedded) or acknowledged by all in-sync replicas
 *    (Kafka), never earlier. When it rejects, they may be there once, or not at all; never twice.
 * 2. Whole. The events of one `append` with `consumed` become visible together with that checkpoint. Without
 *    `consumed` they become visible in order, and on Kafka not necessarily at one instant.
 * 3. Ordered. Events with the same key stay in the order of their appends. Offsets in a stream only grow, are never
 *    reused, and no reader sees an event before one with a lower offset.
 * 4. Handled once. An `append` whose `consumed` is at or below the group's checkpoint in that stream is refused with
 *    CONFLICT and writes nothing. A checkpoint has one writer: a second owner of the same group and stream fences the
 *    first, whose appends are refused from then on.
 * 5. Shared. Every stream of a shared topic is with one member of the group once membership has settled. While it
 *    changes two members may hold the same stream, so what they do there must be fenced: by `own`, or by a claim in the
 *    store.
 * 6. Bounded. `read` returns no more than it was asked for, but always at least one event if there is one.
 *
 * There is no "append if the version is still N": Kafka has none. What must be decided is decided by the single owner
 * of a stream of commands, and `consumed` is what makes its decision count once.
 */
export interface Log {
  /** Names this log inside positions. */
  readonly id: string
  /** Creates topics and registers schemas; does nothing the second time. */
  declare(topics: readonly TopicSpec[], schemas: Readonly<Record<string, object>>): Promise<void>
  /** The streams of a declared topic, by partition. */
  streams(topic: string): readonly Stream[]
  /** The place of one event. */
  place(stream: Stream, offset: number): Position
  /**
   * A position of the log that this one was copied from, in places of these topics' streams: it includes the same of
   * their events. Undefined for a log that this one knows nothing of, and for a place beyond what was copied.
   */
  adopt(position: Position, topics: readonly string[]): Promise<Position | undefined>
  /** Writes events. Resolves with a position that includes all of them. */
  append(batches: readonly EventBatch[], options?: { consumed?: Consumed }): Promise<Position>
  /** Takes ownership of a group's checkpoint in a stream and returns its offset, -1 for none. */
  own(group: string, stream: Stream): Promise<number>
  /**
   * Joins a group whose members share a topic's streams among them. `onStreams` is told this member's streams each time
   * membership changes, and each time all of them: what it held before may have been with somebody else meanwhile.
   */
  share(group: string, topic: string, onStreams: (streams: readonly Stream[]) => void): Promise<Membership>
  /** The events after offset `after`; waits for the log to grow, `waitMs` at most, when there are none. */
  read(stream: Stream, after: number, limits: ReadLimits): Promise<Page>
  /** The last offset of each stream of a topic, -1 for an empty one. */
  ends(topic: string): Promise<ReadonlyMap<string, number>>
  /**
   * The last offset of each stream of a topic that the log took at or before `time`, milliseconds since 1970; -1 for
   * none. Where a clock was set back it goes by where the times stand in the log.
   */
  reachedBy(topic: string, time: number): Promise<ReadonlyMap<string, number>>
  /**
   * How much of each stream of a topic retention has taken: the last offset that is gone, as are all before it; -1 for
   * none. Reading from there or earlier goes on at the first event that is left, so whoever must miss nothing asks.
   */
  forgotten(topic: string): Promise<ReadonlyMap<string, number>>
  /**
   * The last offset that anyone has written to a stream, -1 for none. On Kafka the streams of one append with `consumed`
   * become visible a moment apart: who sees it in one of them finds its place in another here, and may wait for it.
   */
  written(stream: Stream): Promise<number>
  /** How many events a stream has after offset `after`. */
  lag(stream: Stream, after: number): Promise<number>
  /** What has happened since this log was opened. */
  stats(): LogStats
  /** The id under which this log knows the schema of an event type. Throws for a type that was not declared. */
  schemaId(type: string): number
  /** The schema that a writer used, by the id in its events. */
  schema(id: number): Promise<object>
  stop(): Promise<void>
}

export interface LogStats {
  /** How often this member of a group was told its streams. */
  readonly rebalances: number
  /** How often an append was sent again because brokers refused it or did not answer. */
  readonly retries: number
}

export interface Membership {
  /** Leaves the group, so that the others take over at once. `onStreams` is not called any more. */
  stop(): Promise<void>
}

/** One `topics/<name>.yaml`. */
export interface TopicSpec {
  name: string
  key: string
  records: readonly string[]
  partitions: number
  cleanup_policy: 'delete' | 'compact'
  /** -1: for ever. */
  retention_ms: number
  max_message_bytes: number
  readers: readonly string[]
}

export interface Stream {
  readonly name: string
  readonly topic: string
  readonly partition: number
}

/**
 * Events on their way into a topic, packed so that they cross a thread without a copy: for each, the key's length and
 * the value's length as 32-bit little endian, the key, the value. `log/batch.ts` writes and reads it. The value is in
 * Confluent's wire format: a zero byte, the schema's id as 32-bit big endian, Avro.
 */
export interface EventBatch {
  readonly topic: string
  readonly count: number
  readonly bytes: Uint8Array<ArrayBuffer>
  /** Given: all of them go to this partition. Else each goes where Kafka's default partitioner puts its key. */
  readonly partition?: number
}

/** Which handled input an append belongs to. */
export interface Consumed {
  readonly group: string
  readonly stream: Stream
  readonly offset: number
}

export interface StoredEvent {
  readonly offset: number
  /** When the log took it, milliseconds since 1970 UTC. */
  readonly time: number
  readonly key: Buffer
  readonly value: Buffer
}

export interface Page {
  readonly events: readonly StoredEvent[]
  /** Read on from here. All events of the stream up to this offset have been returned. */
  readonly through: number
}

export interface ReadLimits {
  maxEvents: number
  maxBytes: number
  waitMs: number
  signal?: AbortSignal
}
