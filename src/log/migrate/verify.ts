import { crc32 } from 'node:zlib'
import { type CopyReader, type CopyRecord, originText } from '../kafka-copies.ts'
import type { StoredEvent, Stream } from '../log.ts'
import type { Layout } from './layout.ts'
import type { createRewriter } from './rewrite.ts'
import type { Source } from './source.ts'
import type { StreamState } from './target.ts'

const FETCH_BYTES = 1024 * 1024

/** What comparing a topic has shown. */
export interface Verified {
  readonly topic: string
  /** Events and bytes of keys and values that were read back. */
  readonly events: number
  readonly bytes: number
  /** Of keys, times and values, in the order of each partition: from the source, and from what was read back. */
  readonly expected: string
  readonly found: string
  /** The first difference, in words that name its place; undefined when there is none. */
  readonly difference: string | undefined
}

/**
 * Reads a topic back out of Kafka and compares it with the source, event by event: key, time, value and origin. `base`
 * has, for each partition, the offset of the first event that the source still has.
 */
export async function verifyTopic(options: {
  source: Source
  reader: CopyReader
  layout: Layout
  base: readonly number[]
  states: readonly StreamState[]
  rewrite: ReturnType<typeof createRewriter>
  /** Called for each event. */
  onProgress: () => void
}): Promise<Verified> {
  const { source, reader, layout, base, states, rewrite, onProgress } = options
  const { name } = layout.topic
  const sums = { events: 0, bytes: 0 }
  const expected = createChecksum(states.length)
  const found = createChecksum(states.length)
  const cursors = states.map(({ stream, start, end }, n) =>
    createCursor(reader, stream, Math.max(start, base[n]!), end),
  )
  const next = [...base]

  async function firstDifference(): Promise<string | undefined> {
    for (const event of source.events(name, -1, layout.since)) {
      const partition = layout.partitionOf(event.key)
      const place = next[partition]!
      next[partition] = place + 1
      // What retention has taken on Kafka since cannot be compared any more.
      if (place < states[partition]!.start) continue
      const cursor = cursors[partition]!
      const record = cursor.buffered() ?? (await cursor.fetched())
      const value = rewrite(event, name)
      expected.add(partition, event, value)
      if (!record)
        return `${states[partition]!.stream.name}: event ${event.offset} of the log is not at offset ${place}`
      found.add(partition, record, record.value)
      sums.events++
      sums.bytes += record.key.length + record.value.length
      const wrong = differs(record, place, event, value, source.id)
      if (wrong)
        return `${states[partition]!.stream.name}, offset ${record.offset}: ${wrong} event ${event.offset} of the log`
      onProgress()
    }
    const more = states.find(({ end }, partition) => next[partition]! < end)
    return more && `${more.stream.name}, offset ${next[more.stream.partition]}: an event that the log does not have`
  }

  const difference = await firstDifference()
  return { topic: name, ...sums, expected: expected.text(), found: found.text(), difference }
}

function differs(
  record: CopyRecord,
  place: number,
  event: StoredEvent,
  value: Buffer,
  log: string,
): string | undefined {
  if (record.offset !== place) return `expected offset ${place} for`
  if (!record.key.equals(event.key)) return 'the key differs from that of'
  if (record.time !== event.time) return `the time ${record.time} is not ${event.time}, that of`
  if (!record.value.equals(value)) return 'the value differs from that of'
  if (record.origin !== originText(log, event.offset)) return `the origin ${record.origin} is not that of`
  return undefined
}

/** Walks along a stream of Kafka, a page at a time. */
function createCursor(reader: CopyReader, stream: Stream, from: number, end: number) {
  let page: CopyRecord[] = []
  let index = 0
  let at = from

  function buffered(): CopyRecord | undefined {
    const record = page[index]
    if (!record || record.offset >= end) return undefined
    index++
    at = record.offset + 1
    return record
  }

  return {
    /** The next record when it is at hand. */
    buffered,
    /** The next record from Kafka; undefined at the end. */
    async fetched(): Promise<CopyRecord | undefined> {
      if (at >= end) return undefined
      page = (await reader.fetch(stream, at, FETCH_BYTES)).filter(({ offset }) => offset >= at)
      index = 0
      return buffered()
    },
  }
}

/** One checksum for a topic: the CRC-32 of what each partition holds, and of those together. */
function createChecksum(partitions: number) {
  const sums = new Uint32Array(partitions)
  const time = Buffer.alloc(8)
  return {
    add(partition: number, event: { key: Buffer; time: number }, value: Buffer): void {
      time.writeBigInt64BE(BigInt(event.time))
      sums[partition] = crc32(value, crc32(time, crc32(event.key, sums[partition])))
    },
    text: () => crc32(Buffer.from(sums.buffer)).toString(16).padStart(8, '0'),
  }
}
