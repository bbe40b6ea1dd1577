import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { openLog } from '../src/adapters.ts'
import { readConfig } from '../src/config.ts'
import type { RecordPushed } from '../src/events/index.ts'
import { partitionOf } from '../src/kernel/hash.ts'
import { batchWriter } from '../src/log/batch.ts'
import { createCodec } from '../src/log/codec.ts'
import { recordKey } from '../src/projections/records.ts'
import { recordParts } from './records.ts'

export const DATASET = 'bench'
const BATCH_RECORDS = 20_000
/** Room for one record as an event, key included, so that a batch's buffer need not grow. */
const EVENT_BYTES = 256

/**
 * Appends records of 92 bytes to `sync.records` in the log that `env` names, each with an id of its own, as the edge
 * would have written them. Gives back the id of each stream's last record: whoever works in order and has written
 * these rows has written all.
 */
export async function fillRecords(env: Record<string, string>, records: number): Promise<string[]> {
  const log = await openLog(readConfig({ DATA_DIR: tmpdir(), ...env }))
  try {
    const codec = createCodec(log)
    const streams = log.streams('sync.records').length
    const lastIds = new Map<number, string>()
    const request = { source: DATASET, actor: 'cli_0123456789abcdef0123', request_id: randomUUID() }
    for (let from = 0; from < records; from += BATCH_RECORDS) {
      const writer = batchWriter(BATCH_RECORDS * EVENT_BYTES)
      const received_at = Date.now()
      for (let n = from; n < Math.min(records, from + BATCH_RECORDS); n++) {
        const record = recordParts(n, n)
        const key = Buffer.from(recordKey(DATASET, record.id))
        const event: RecordPushed = {
          ...{ dataset: DATASET, ...record, op: 'upsert', version: null, updated_at: null, upsert: true },
          ...{ ...request, line: n + 1, received_at, job_id: null },
        }
        writer.add(key, (buffer, at) => codec.write('RecordPushed', event, buffer, at))
        lastIds.set(partitionOf(key, streams), record.id)
      }
      await log.append([writer.take('sync.records')!])
    }
    return [...lastIds.values()]
  } finally {
    await log.stop()
  }
}
