import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { storeContract } from '../contracts/store.ts'

storeContract('sqlite', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'sync-store-'))
  return {
    open: async () => openSqliteStore({ file: join(dir, 'read.db'), cacheMb: 4 }),
    end: async () => rmSync(dir, { recursive: true }),
  }
})
