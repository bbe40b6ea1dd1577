import { describe, inject } from 'vitest'
import { postgresDatabase, sinkJobs } from '../../../kit/sinks.ts'
import { modesContract } from './modes.ts'
import { redeliveryContract } from './redelivery.ts'
import { typesContract } from './types.ts'

const server = inject('postgres')

describe.skipIf(!server)('a table in PostgreSQL', () => {
  const jobs = sinkJobs(() => postgresDatabase(server!))
  describe('modes', () => modesContract(jobs))
  describe('redelivery', () => redeliveryContract(jobs))
  describe('types', () => typesContract(jobs, { postgres: true }))
})
