import { join } from 'node:path'
import { readTopics } from '../../src/adapters.ts'
import { type RecordRejected, schemas } from '../../src/events/index.ts'
import { createCodec } from '../../src/log/codec.ts'
import { openEmbeddedLog } from '../../src/log/embedded.ts'
import { call, type Problem, pushBatch, type Target } from './api.ts'
import { readTopic } from './events.ts'

/** Every row of a data set that was refused, as the topic sync.rejected of a service's log has it. */
export async function rejectedRows({ dataDir }: { dataDir: string }, dataset: string): Promise<RecordRejected[]> {
  const log = openEmbeddedLog({ file: join(dataDir, 'log.db') })
  try {
    await log.declare(readTopics(), schemas)
    const codec = createCodec(log)
    const events = await readTopic(log, 'sync.rejected')
    await codec.prepare(events)
    const rows = events.map(({ value }) => codec.decode(value).data as RecordRejected)
    return rows.filter(row => row.dataset === dataset)
  } finally {
    await log.stop()
  }
}

/** A refused row as the API shows it. */
export interface Rejected extends Problem {
  id: string
  dataset: string
  source: string
  stage: string
  code: string
  field: string | null
  message: string
  value: string | null
  record_id: string | null
  status: string
  original: string
  original_encoding: 'utf8' | 'base64'
  original_bytes: number
  job_id: string | null
  request_id: string
  line: number
  created_at: string
  position: string
  replay?: { position: string }
}

export interface RejectedPage extends Problem {
  items: Rejected[]
  next_cursor: string | null
}

/** The first thousand refused rows that a query finds. */
export async function findRejected(target: Target, query: string): Promise<Rejected[]> {
  const { status, text, body } = await call<RejectedPage>(target, `/rejected?limit=1000&${query}`)
  if (status !== 200) throw new Error(`${status} ${text}`)
  return body.items
}

/** Pushes records as a batch, which is in the read model afterwards, and gives back what was refused of it. */
export async function pushRefused(target: Target, dataset: string, records: object[]): Promise<Rejected[]> {
  const { body } = await pushBatch(target, dataset, records)
  return findRejected(target, `request_id=${body.request_id}&min_position=${body.position}`)
}
