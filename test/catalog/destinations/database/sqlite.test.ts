import { describe } from 'vitest'
import { sinkJobs, sqliteDatabase } from '../../../kit/sinks.ts'
import { modesContract } from './modes.ts'
import { redeliveryContract } from './redelivery.ts'
import { typesContract } from './types.ts'

describe('a table in SQLite', () => {
  const jobs = sinkJobs(async () => sqliteDatabase())
  describe('modes', () => modesContract(jobs))
  describe('redelivery', () => redeliveryContract(jobs))
  describe('types', () => typesContract(jobs, { postgres: false }))
})
