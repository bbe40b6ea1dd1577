import { afterEach, beforeEach, expect, it } from 'vitest'
import { readTopics } from '../../src/adapters.ts'
import { schemas } from '../../src/events/index.ts'
import { DomainError } from '../../src/kernel/errors.ts'
import type { Log } from '../../src/log/log.ts'
import { openMemoryLog } from '../../src/log/memory.ts'
import { recordsProjection } from '../../src/projections/records.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { readDatasets } from '../../src/workers/datasets-then.ts'

let log: Log
beforeEach(async () => {
  log = openMemoryLog()
  await log.declare(readTopics(), schemas)
})
afterEach(() => log.stop())

it('opens the read store again after that has failed, once for all that ask', async () => {
  let opened = 0
  const datasets = readDatasets({
    ...{ log, waitMs: 0, augmentation: {} as never, translator: {} as never, dilution: {} as never },
    async openStore() {
      if (opened++ === 0) throw new DomainError('UNAVAILABLE', 'the read store is gone for a moment')
      const store = openSqliteStore({ file: ':memory:', cacheMb: 1 })
      await store.declare(recordsProjection.tables)
      return store
    },
  })
  const signal = new AbortController().signal
  await expect(datasets.now(signal)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  expect(await datasets.now(signal)).toMatchObject({ log: log.id })
  expect(await datasets.now(signal)).toMatchObject({ log: log.id })
  expect(opened).toBe(2)
  await datasets.stop()
})
