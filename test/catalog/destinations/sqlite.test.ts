import { describe } from 'vitest'
import { sqliteDatabase } from '../../kit/sinks.ts'
import { sinkContract } from './contract.ts'

describe('a table in SQLite', () => {
  sinkContract(async () => sqliteDatabase())
})
