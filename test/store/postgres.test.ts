import { describe, inject } from 'vitest'
import { openPostgresStore } from '../../src/store/postgres.ts'
import { storeContract } from '../contracts/store.ts'
import { createDatabase } from '../kit/postgres.ts'

const url = inject('postgres')

describe.skipIf(!url)('over PostgreSQL', () => {
  storeContract('postgres', async () => {
    const database = await createDatabase(url!)
    return {
      open: async () => openPostgresStore({ url: database.url }),
      end: () => database.drop(),
    }
  })
})
