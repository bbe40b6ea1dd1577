/** Rows that are made when they are come to may look into their file until they have been handled. */
import { expect, it, vi } from 'vitest'
import { readTopics } from '../../src/adapters.ts'
import type { Connector } from '../../src/catalog/connectors/connector.ts'
import { schemas } from '../../src/events/index.ts'
import { startCommands } from '../../src/log/commands.ts'
import type { Log } from '../../src/log/log.ts'
import { openMemoryLog } from '../../src/log/memory.ts'
import type { FileStore } from '../../src/store/files.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { readTopic } from '../kit/events.ts'
import { until } from '../kit/processes.ts'
import { jobEventsWith, startTestDecider, startTestRunner } from '../kit/runner.ts'

const PAGES = 3
const { file } = vi.hoisted(() => ({ file: { open: false, pulled: 0 } }))
vi.mock('../../src/catalog/connectors/index.ts', async () => {
  const { z } = await import('zod')
  const lazy: Connector = {
    type: 'lazy',
    summary: 'Makes its rows late.',
    config: z.object({}),
    async *pull(_config, _state, { openFile }) {
      await openFile('file_1')
      for (let page = 0; page < PAGES; page++) {
        const rows = {
          length: 1,
          *[Symbol.iterator]() {
            if (!file.open) throw new Error('the file is gone')
            yield { id: `${page}`, data: '{}' }
          },
        }
        yield { rows, bytes: 2, state: { page }, total: PAGES }
        file.pulled++
      }
    },
  }
  return { connectors: [lazy], connectorOf: (type: string) => (type === 'lazy' ? lazy : undefined) }
})

it('a file stays open until the last row has been handled, and no longer', async () => {
  const memory = openMemoryLog()
  await memory.declare(readTopics(), schemas)
  // The append of a page takes until all pages have been pulled: two of them wait meanwhile.
  const log: Log = {
    ...memory,
    async append(batches, options) {
      if (batches.some(({ topic }) => topic === 'sync.records'))
        await until('all to be pulled', async () => file.pulled === PAGES)
      return memory.append(batches, options)
    },
  }
  const files = {
    async open() {
      file.open = true
      return {
        path: '/nowhere',
        close: async () => {
          file.open = false
        },
      }
    },
  } as unknown as FileStore
  const commands = await startCommands(log, createLogger('silent'))
  const started = [await startTestDecider(log), await startTestRunner(log, files), commands]
  const config = {
    ...{ connector: { type: 'lazy', config: {} }, schedule: { type: 'manual' } },
    target: { dataset: 'd', source: 's', upsert: true, validate: false, transform: false },
  }
  const about = { job_id: 'j', name: 'j', connector_type: 'lazy', config: JSON.stringify(config) }
  const queue = { run_id: 'run_1', trigger: 'manual' }
  await commands.send('job/j', { type: 'CreateJob', data: { ...about, queue } }, { actor: 'c', requestId: 'r' })
  const ends = await jobEventsWith(log, 'RunCompleted', 'RunFailed')
  expect(ends).toContain('RunCompleted')
  expect(await readTopic(log, 'sync.records')).toHaveLength(PAGES)
  expect(file.open).toBe(false)
  for (const each of started.toReversed()) await each.stop()
  await memory.stop()
})
