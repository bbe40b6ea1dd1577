import { join } from 'node:path'
import { readTopics } from '../../src/adapters.ts'
import { type RecordRejected, schemas } from '../../src/events/index.ts'
import { createCodec } from '../../src/log/codec.ts'
import { openEmbeddedLog } from '../../src/log/embedded.ts'
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
