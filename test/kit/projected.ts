import { expect } from 'vitest'
import type { ConflictDetected, ConflictTold, RecordChanged, RecordPushed } from '../../src/events/index.ts'
import { partitionOf } from '../../src/kernel/hash.ts'
import { batchWriter } from '../../src/log/batch.ts'
import { createCodec } from '../../src/log/codec.ts'
import type { Log, StoredEvent } from '../../src/log/log.ts'
import { recordKey } from '../../src/projections/records.ts'
import { readAll } from './events.ts'

const TIME = 1_750_000_000_000
const TOPIC = 'sync.records'

/** Puts records into the log as an edge would. */
export async function pushInto(log: Log, ...pushes: Partial<RecordPushed>[]): Promise<void> {
  const codec = createCodec(log)
  const writer = batchWriter()
  for (const [line, push] of pushes.entries()) {
    const event: RecordPushed = {
      dataset: 'orders',
      id: '1',
      op: 'upsert',
      data: '{}',
      version: null,
      updated_at: null,
      upsert: true,
      source: 'till',
      actor: 'cli_1',
      request_id: 'req_1',
      line,
      received_at: TIME + line,
      job_id: null,
      conflict: null,
      origin: null,
      keeps_rules: null,
      ...push,
    }
    const key = Buffer.from(recordKey(event.dataset, event.id))
    writer.add(key, (buffer, at) => codec.write('RecordPushed', event, buffer, at))
  }
  await log.append([writer.take(TOPIC)!])
}

function decoded(log: Log, events: readonly StoredEvent[]) {
  const codec = createCodec(log)
  return events.map(({ value }) => codec.decode(value).data as RecordChanged | ConflictTold)
}

/**
 * What was told in a topic, each stream's in order: every change and every conflict once, in the order of the events that
 * they follow from, a change before the news of the same event.
 */
export async function toldIn(log: Log, topic: string): Promise<(RecordChanged | ConflictTold)[]> {
  const all: (RecordChanged | ConflictTold)[] = []
  for (const stream of log.streams(topic)) {
    const ofStream = decoded(log, await readAll(log, stream))
    for (const [i, told] of ofStream.entries()) {
      expect(told.source_stream).toBe(`${TOPIC}-${stream.partition}`)
      const before = ofStream[i - 1]
      if (before && 'news' in told && 'changes' in before)
        expect(told.source_offset).toBeGreaterThanOrEqual(before.source_offset)
      else if (before) expect(told.source_offset).toBeGreaterThan(before.source_offset)
    }
    all.push(...ofStream)
  }
  return all
}

/** Every conflict of a topic by its key: each once, where its key belongs. */
export async function conflictsIn(log: Log, topic: string): Promise<Map<string, ConflictDetected>> {
  const codec = createCodec(log)
  const found = new Map<string, ConflictDetected>()
  const streams = log.streams(topic)
  for (const stream of streams) {
    for (const { key, value } of await readAll(log, stream)) {
      const conflict = codec.decode(value).data as ConflictDetected
      expect(key.toString()).toBe(`conflict/${conflict.conflict_id}`)
      expect(found.has(key.toString())).toBe(false)
      expect(partitionOf(key, streams.length)).toBe(stream.partition)
      found.set(key.toString(), conflict)
    }
  }
  return found
}
