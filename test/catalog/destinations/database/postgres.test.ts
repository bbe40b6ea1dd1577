import { describe, inject } from 'vitest'
import { postgresDatabase, sinkJobs } from '../../../kit/sinks.ts'
import { deletesContract } from './deletes.ts'
import { modesContract } from './modes.ts'
import { redeliveryContract } from './redelivery.ts'
import { refusalsContract } from './refusals.ts'
import { tablesContract } from './tables.ts'
import { typesContract } from './types.ts'

const server = inject('postgres')

describe.skipIf(!server)('a table in PostgreSQL', () => {
  const jobs = sinkJobs(() => postgresDatabase(server!))
  describe('modes', () => modesContract(jobs))
  describe('redelivery', () => redeliveryContract(jobs))
  describe('deletes', () => deletesContract(jobs))
  describe('refusals', () => refusalsContract(jobs, { postgres: true }))
  describe('tables', () => tablesContract(jobs, { postgres: true }))
  describe('types', () => typesContract(jobs, { postgres: true }))
})
