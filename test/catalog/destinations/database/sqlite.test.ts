import { describe } from 'vitest'
import { sinkJobs, sqliteDatabase } from '../../../kit/sinks.ts'
import { deletesContract } from './deletes.ts'
import { modesContract } from './modes.ts'
import { redeliveryContract } from './redelivery.ts'
import { refusalsContract } from './refusals.ts'
import { tablesContract } from './tables.ts'
import { typesContract } from './types.ts'

describe('a table in SQLite', () => {
  const jobs = sinkJobs(async () => sqliteDatabase())
  describe('modes', () => modesContract(jobs))
  describe('redelivery', () => redeliveryContract(jobs))
  describe('deletes', () => deletesContract(jobs))
  describe('refusals', () => refusalsContract(jobs, { postgres: false }))
  describe('tables', () => tablesContract(jobs, { postgres: false }))
  describe('types', () => typesContract(jobs, { postgres: false }))
})
