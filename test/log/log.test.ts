import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inject } from 'vitest'
import { openEmbeddedLog } from '../../src/log/embedded.ts'
import { openMemoryLog } from '../../src/log/memory.ts'
import { logContract } from '../contracts/log.ts'
import { openLogAt } from '../kit/logs.ts'

logContract('memory', async () => {
  const log = openMemoryLog()
  return { open: async () => log, end: async () => undefined }
})

logContract('embedded', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'sync-log-'))
  return {
    open: async () => openEmbeddedLog({ file: join(dir, 'log.db') }),
    end: async () => rmSync(dir, { recursive: true }),
  }
})

const kafka = inject('kafka')
if (kafka) {
  logContract('kafka', async () => ({
    open: () => openLogAt(`kafka:${kafka.brokers},${kafka.registryUrl}`),
    end: async () => undefined,
  }))
}
