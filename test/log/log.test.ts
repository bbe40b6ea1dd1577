import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { inject } from 'vitest'
import { openEmbeddedLog } from '../../src/log/embedded.ts'
import type { Log } from '../../src/log/log.ts'
import { openMemoryLog } from '../../src/log/memory.ts'
import { logContract } from '../contracts/log.ts'
import { openLogAt } from '../kit/logs.ts'
import { retain } from '../kit/retention.ts'

logContract('memory', async () => {
  const log = openMemoryLog()
  return { open: async () => log, end: async () => undefined }
})

logContract('embedded', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'sync-log-'))
  return {
    open: async () => openEmbeddedLog({ file: join(dir, 'log.db') }),
    end: async () => rmSync(dir, { recursive: true }),
    forget: retain,
  }
})

const kafka = inject('kafka')
if (kafka) {
  logContract('kafka', async () => ({
    open: () => openLogAt(`kafka:${kafka.brokers},${kafka.registryUrl}`),
    end: async () => undefined,
    forget: deleteRecords,
  }))

  async function deleteRecords(log: Log, topic: string): Promise<void> {
    const admin = new Kafka({ brokers: [kafka!.brokers], logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    const ends = await log.ends(topic)
    const partitions = log
      .streams(topic)
      .map(({ name, partition }) => ({ partition, offset: `${ends.get(name)! + 1}` }))
    await admin.fetchTopicOffsets(topic)
    await admin.deleteTopicRecords({ topic, partitions })
    await admin.disconnect()
  }
}
