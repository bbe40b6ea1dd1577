import { describe, inject } from 'vitest'
import { postgresDatabase } from '../../kit/sinks.ts'
import { sinkContract } from './contract.ts'

const server = inject('postgres')

describe.skipIf(!server)('a table in PostgreSQL', () => {
  sinkContract(() => postgresDatabase(server!))
})
