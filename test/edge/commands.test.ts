import { afterEach, beforeEach, expect, it } from 'vitest'
import { readTopics } from '../../src/adapters.ts'
import { type Access, startAccess } from '../../src/edge/auth/access.ts'
import type { Principal } from '../../src/edge/auth/authenticate.ts'
import { grantTokens } from '../../src/edge/auth/grants.ts'
import type { Exchange } from '../../src/edge/exchange.ts'
import { apiKeys } from '../../src/edge/routes/api-keys.ts'
import type { Services } from '../../src/edge/services.ts'
import { schemas } from '../../src/events/index.ts'
import { type Commands, startCommands } from '../../src/log/commands.ts'
import type { Log } from '../../src/log/log.ts'
import { openMemoryLog } from '../../src/log/memory.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { startDecider } from '../../src/workers/decider.ts'
import { readTopic } from '../kit/events.ts'
import { until } from '../kit/processes.ts'

const EVENTS = 'sync.access'
const logger = createLogger('silent')

/**
 * A log as Kafka's brokers make it for a moment: what was written to `sync.access` is not visible there yet, while the
 * outcome of the same append is.
 */
function withLateMarks(log: Log) {
  let hidden = false
  let asked = 0
  const late: Log = {
    ...log,
    async ends(topic) {
      const ends = await log.ends(topic)
      return topic === EVENTS && hidden ? new Map([...ends.keys()].map(name => [name, -1])) : ends
    },
    async read(stream, after, limits) {
      if (stream.topic === EVENTS && hidden) {
        await new Promise(resolve => setTimeout(resolve, 5))
        return { events: [], through: after }
      }
      return log.read(stream, after, { ...limits, waitMs: 5 })
    },
    written(stream) {
      asked++
      return log.written(stream)
    },
  }
  return {
    late,
    /** How often it was asked how far a stream is written: each time an outcome has come. */
    get asked() {
      return asked
    },
    hide: () => {
      hidden = true
    },
    show: () => {
      hidden = false
    },
  }
}

let marks: ReturnType<typeof withLateMarks>
let log: Log
let access: Access
let commands: Commands
let decider: Awaited<ReturnType<typeof startDecider>>
let services: Services

beforeEach(async () => {
  log = openMemoryLog()
  await log.declare(readTopics(), schemas)
  marks = withLateMarks(log)
  access = startAccess(marks.late, logger, 3600)
  commands = await startCommands(marks.late, logger)
  decider = await startDecider({ log, logger, onHolding: () => undefined, onProgress: () => undefined })
  const config = { rateLimitApi: 0, refreshSeconds: 60, tokenSeconds: 60 }
  const tokens = { issue: async () => 'access', refreshToken: () => 'refresh' }
  services = { commands, access, config, tokens } as unknown as Services
})
afterEach(async () => {
  await Promise.all([access.stop(), commands.stop(), decider.stop()])
  await log.stop()
})

const [create] = apiKeys
const principal = { id: 'cli_1', scopes: ['sync:read'], rateLimit: null } as unknown as Principal

function createKey() {
  const body = Buffer.from(JSON.stringify({ name: 'k', permissions: ['sync:read'] }))
  const header = (name: string) => (name === 'content-type' ? 'application/json' : undefined)
  const exchange = { requestId: 'req_1', header, body: async () => body } as unknown as Exchange
  return create!.handle({ exchange, params: {}, principal, services })
}

const BY = { actor: 'tests', requestId: 'req_2' }

it.each([
  ['a new API key', () => createKey(), () => access.view.keysByHash.size],
  ['new tokens', () => grantTokens(services, 'cli_1', ['sync:read'], 'req_1'), () => access.view.families.size],
])('%s is answered when its event can be read, not when its outcome can', async (_, ask, made) => {
  marks.hide()
  let answered = false
  const answer = Promise.resolve(ask()).finally(() => {
    answered = true
  })
  answer.catch(() => undefined)
  await until('its outcome to be there', () => marks.asked === 1)
  await new Promise(resolve => setTimeout(resolve, 20))
  expect([answered, made()]).toEqual([false, 0])
  marks.show()
  await answer
  expect(made()).toBe(1)
})

it('an API key that was revoked before its answer went out is a conflict, not a failure', async () => {
  marks.hide()
  const answer = Promise.resolve(createKey())
  answer.catch(() => undefined)
  await until('its outcome to be there', () => marks.asked === 1)
  const created = await readTopic(log, EVENTS)
  const key = created[0]!.key.toString()
  await commands.send(key, { type: 'RevokeApiKey', data: { key_id: key.slice('api_key/'.length) } }, BY)
  marks.show()
  await expect(answer).rejects.toMatchObject({ code: 'CONFLICT' })
})
