/** A run that is paused or cancelled between its last row and its end, with a real decider over one log. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { readTopics } from '../../src/adapters.ts'
import type { Connector } from '../../src/catalog/connectors/connector.ts'
import type { JobCommand } from '../../src/domain/job.ts'
import { schemas } from '../../src/events/index.ts'
import { onPoint } from '../../src/kernel/points.ts'
import { type Commands, startCommands } from '../../src/log/commands.ts'
import type { Log } from '../../src/log/log.ts'
import { openMemoryLog } from '../../src/log/memory.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { until } from '../kit/processes.ts'
import { jobEventsWith, startTestDecider, startTestRunner } from '../kit/runner.ts'

/** A connector that needs something of its own until its run is complete. */
const { needs } = vi.hoisted(() => ({ needs: { file: true } }))
vi.mock('../../src/catalog/connectors/index.ts', async () => {
  const { z } = await import('zod')
  const needy: Connector = {
    type: 'needy',
    summary: 'Needs its file.',
    config: z.object({}),
    async *pull(_config, state) {
      if (!needs.file) throw new Error('the file is gone')
      if (!state) yield { rows: [{ id: '1', data: '{}' }], state: { read: 1 }, total: 1 }
    },
    async finish() {
      needs.file = false
    },
  }
  return { connectors: [needy], connectorOf: (type: string) => (type === 'needy' ? needy : undefined) }
})

let log: Log
let commands: Commands
let stops: (() => Promise<void>)[]
beforeEach(async () => {
  needs.file = true
  log = openMemoryLog()
  await log.declare(readTopics(), schemas)
  commands = await startCommands(log, createLogger('silent'))
  const started = [await startTestDecider(log), await startTestRunner(log)]
  stops = [() => commands.stop(), ...started.map(each => () => each.stop())]
})
afterEach(async () => {
  onPoint(() => undefined)
  for (const stop of stops.toReversed()) await stop()
})

const send = (command: JobCommand) => commands.send('job/j', command, { actor: 'cli_1', requestId: 'req_1' })

it.each([
  ['PauseJob', 'RunPaused', 'ResumeJob'],
  ['CancelJob', 'RunCancelled', 'StartJob'],
] as const)('%s after the last row leaves what the run needs to go on', async (command, event, again) => {
  let sent: Promise<unknown> | undefined
  onPoint(name => {
    if (name === 'runner.all-read') sent ??= send({ type: command, data: { job_id: 'j' } })
  })
  const config = {
    ...{ connector: { type: 'needy', config: {} }, schedule: { type: 'manual' } },
    target: { dataset: 'd', source: 's', upsert: true, validate: false, transform: false },
  }
  const queue = { run_id: 'run_1', trigger: 'manual' }
  const about = { job_id: 'j', name: 'j', connector_type: 'needy', config: JSON.stringify(config), queue }
  await send({ type: 'CreateJob', data: about })
  expect(await jobEventsWith(log, event)).not.toContain('RunCompleted')
  await sent
  const run = { run_id: 'run_2', trigger: 'manual' }
  await send({ type: again, data: { job_id: 'j', ...(again === 'StartJob' ? run : {}) } } as JobCommand)
  expect(await jobEventsWith(log, 'RunCompleted')).not.toContain('RunFailed')
  await until('what it needed to be let go of', async () => !needs.file)
})
