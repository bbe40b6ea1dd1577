import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { openLog } from '../src/adapters.ts'
import { readConfig } from '../src/config.ts'
import type { RecordPushed } from '../src/events/index.ts'
import { partitionOf } from '../src/kernel/hash.ts'
import { batchWriter } from '../src/log/batch.ts'
import { createCodec } from '../src/log/codec.ts'
import { recordKey } from '../src/projections/records.ts'
import { idOf, recordParts } from './records.ts'

export const DATASET = 'bench'
const BATCH_RECORDS = 20_000
/** Room for one record as an event, key included, so that a batch's buffer need not grow. */
const EVENT_BYTES = 256

/** The last record of a stream: whoever works in order and has written it has written all of the stream. */
export interface LastRecord {
  readonly id: string
  readonly line: number
}

/**
 * Appends records of 92 bytes to `sync.records` in the log that `env` names, as the edge would have written them. Each
 * has an id of its own, or they share so many `keys`. Gives back the last record of each stream.
 */
export async function fillRecords(env: Record<string, string>, records: number, keys = 0): Promise<LastRecord[]> {
  const log = await openLog(readConfig({ DATA_DIR: tmpdir(), ...env }))
  try {
    const codec = createCodec(log)
    const streams = log.streams('sync.records').length
    const last = new Map<number, LastRecord>()
    const request = { source: DATASET, actor: 'cli_0123456789abcdef0123', request_id: randomUUID() }
    for (let from = 0; from < records; from += BATCH_RECORDS) {
      const writer = batchWriter(BATCH_RECORDS * EVENT_BYTES)
      const received_at = Date.now()
      for (let n = from; n < Math.min(records, from + BATCH_RECORDS); n++) {
        const record = recordParts(idOf(n, keys), n)
        const key = Buffer.from(recordKey(DATASET, record.id))
        const event: RecordPushed = {
          ...{ dataset: DATASET, ...record, op: 'upsert', version: null, updated_at: null, upsert: true },
          ...{ ...request, line: n + 1, received_at, job_id: null, conflict: null, origin: null, keeps_rules: null },
        }
        writer.add(key, (buffer, at) => codec.write('RecordPushed', event, buffer, at))
        last.set(partitionOf(key, streams), { id: record.id, line: event.line })
      }
      await log.append([writer.take('sync.records')!])
    }
    return [...last.values()]
  } finally {
    await log.stop()
  }
}
