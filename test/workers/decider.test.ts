import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readTopics } from '../../src/adapters.ts'
import { type CommandDecided, type CommandIssued, type Events, schemas } from '../../src/events/index.ts'
import { createCodec, type Decoded } from '../../src/log/codec.ts'
import { type Commands, startCommands } from '../../src/log/commands.ts'
import type { EventBatch, Log, Stream } from '../../src/log/log.ts'
import { openMemoryLog } from '../../src/log/memory.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { COMMANDS, startDecider } from '../../src/workers/decider.ts'
import { readTopic } from '../kit/events.ts'
import { until } from '../kit/processes.ts'
import { property } from '../kit/random.ts'

const logger = createLogger('silent')
const BY = { actor: 'tests', requestId: 'req_1' }

/** Every append that a decider makes, and what it had consumed. */
interface Appended {
  readonly batches: readonly EventBatch[]
  readonly offset: number
}

let log: Log
let appended: Appended[]
let stops: (() => Promise<void>)[]

beforeEach(async () => {
  const memory = openMemoryLog()
  appended = []
  stops = []
  // One stream of commands, so that a page holds all that came.
  await memory.declare(
    readTopics().map(topic => (topic.name === COMMANDS ? { ...topic, partitions: 1 } : topic)),
    schemas,
  )
  log = {
    ...memory,
    append(batches, options = {}) {
      const done = memory.append(batches, options)
      if (options.consumed) appended.push({ batches, offset: options.consumed.offset })
      return done
    },
  }
})
afterEach(async () => {
  await Promise.all(stops.map(stop => stop()))
  await log.stop()
})

function start(over: Log = log) {
  const progress = { through: -1, holding: [] as readonly Stream[] }
  const decider = startDecider({
    ...{ log: over, logger },
    onHolding: streams => void Object.assign(progress, { holding: streams }),
    onProgress: (_, through) => void Object.assign(progress, { through }),
  })
  stops.push(async () => (await decider).stop())
  return progress
}

let commands = 0
function issued(aggregate: string, type: string, data: unknown, more: Partial<CommandIssued> = {}): CommandIssued {
  const command_id = `cmd_${String(commands++).padStart(6, '0')}`
  const payload = JSON.stringify(data)
  return { command_id, aggregate, type, payload, actor: 'tests', request_id: 'req_1', at: 1_750_000_000_000, ...more }
}

async function issue(...all: CommandIssued[]): Promise<void> {
  const codec = createCodec(log)
  for (const each of all) await log.append([codec.batch(COMMANDS, 'CommandIssued', each.aggregate, each)])
}

async function read(topic: string): Promise<(Decoded & { key: string })[]> {
  const codec = createCodec(log)
  const events = await readTopic(log, topic)
  await codec.prepare(events)
  return events.map(({ key, value }) => ({ ...codec.decode(value), key: key.toString() }))
}

/** What was decided of each command, by its id; waits until there are as many. */
async function outcomes(count: number): Promise<Map<string, CommandDecided>> {
  const found = await until(`${count} outcomes`, async () => {
    const all = await read('sync.outcomes')
    return all.length >= count && all
  })
  expect(found).toHaveLength(count)
  return new Map(found.map(({ data }) => [(data as CommandDecided).command_id, data as CommandDecided]))
}

const webhook = (id: string, name = id) => ({
  ...{ webhook_id: id, name, dataset: 'd', schema: null, record_id: null, scheme: 'none', secrets: [] },
  enabled: true,
})
const create = (id: string) => issued(`webhook/${id}`, 'CreateWebhook', webhook(id))
const update = (id: string, name: string) => issued(`webhook/${id}`, 'UpdateWebhook', { ...webhook(id, name), was: [] })
const remove = (id: string) => issued(`webhook/${id}`, 'DeleteWebhook', { webhook_id: id })
const codes = (decided: Map<string, CommandDecided>, all: readonly CommandIssued[]) =>
  all.map(({ command_id }) => decided.get(command_id)?.code)

describe('a page of commands', () => {
  it('is decided in one append, each in the light of those before it, all outcomes with it', async () => {
    const all = [
      create('a'),
      create('b'),
      create('a'),
      update('a', 'new'),
      remove('b'),
      update('b', 'late'),
      remove('b'),
    ]
    await issue(...all)
    start()
    const decided = await outcomes(all.length)
    expect(codes(decided, all)).toEqual([null, null, 'CONFLICT', null, null, 'NOT_FOUND', 'NOT_FOUND'])
    expect(appended).toHaveLength(1)
    expect(appended[0]!.offset).toBe(all.length - 1)
    expect((await read('sync.webhooks')).map(({ type, key }) => [type, key])).toEqual(
      expect.arrayContaining([
        ['WebhookConfigured', 'webhook/a'],
        ['WebhookConfigured', 'webhook/a'],
        ['WebhookConfigured', 'webhook/b'],
        ['WebhookDeleted', 'webhook/b'],
      ]),
    )
    for (const [n, { command_id }] of all.entries()) {
      const place = { command_stream: `${COMMANDS}-0`, command_offset: n }
      expect(decided.get(command_id)).toMatchObject({ aggregate: all[n]!.aggregate, ...place })
    }
  })

  it('has its events in the order of its commands, and each names the command it follows from', async () => {
    const all = [create('a'), ...Array.from({ length: 30 }, (_, n) => update('a', `name ${n}`))]
    await issue(...all)
    start()
    await outcomes(all.length)
    const events = (await read('sync.webhooks')).map(({ data }) => data as Events['WebhookConfigured'])
    expect(events.map(({ command_id, name }) => [command_id, name])).toEqual(
      all.map(({ command_id, payload }) => [command_id, JSON.parse(payload).name]),
    )
  })

  it('takes more commands than a page holds in several appends', async () => {
    const all = [create('a'), ...Array.from({ length: 240 }, (_, n) => update('a', `${n}`))]
    await issue(...all)
    const progress = start()
    await outcomes(all.length)
    expect(appended.map(({ offset }) => offset)).toEqual([99, 199, 240])
    await until('all to be told', () => progress.through === 240)
  })

  it('puts the record of a replay under its own key, into its own topic', async () => {
    const record: Events['RecordPushed'] = {
      ...{ dataset: 'orders', id: 'r1', op: 'upsert', data: '{"n":1}', version: null, updated_at: null, upsert: true },
      ...{
        source: 's',
        actor: 'a',
        request_id: 'r',
        line: 0,
        received_at: 1,
        job_id: null,
        conflict: null,
        origin: null,
        keeps_rules: null,
      },
    }
    const replay = { rejection_id: 'rej_1', mended: false, record, key: 'orders\0r1' }
    const all = [1, 2].map(() => issued('rejection/rej_1', 'ReplayRejection', replay))
    await issue(...all)
    start()
    expect(codes(await outcomes(2), all)).toEqual([null, 'CONFLICT'])
    expect((await read('sync.replays')).map(({ key }) => key)).toEqual(['rejection/rej_1'])
    expect(await read('sync.records')).toMatchObject([{ type: 'RecordPushed', key: 'orders\0r1', data: record }])
  })
})

describe('a command that cannot be decided', () => {
  const STRANGE: [string, () => CommandIssued][] = [
    ['of an unknown noun', () => issued('thing/1', 'MakeThing', {})],
    ['without a noun', () => issued('1', 'MakeThing', {})],
    ['of a noun that every object has', () => issued('constructor/1', 'MakeThing', {})],
    ['of an unknown type, of a webhook', () => issued('webhook/a', 'PolishWebhook', { webhook_id: 'a' })],
    ['of an unknown type, of a job', () => issued('job/a', 'PolishJob', { job_id: 'a' })],
    ['of an unknown type, of an API key', () => issued('api_key/a', 'PolishApiKey', { key_id: 'a' })],
    ['without what it needs', () => issued('webhook/c', 'CreateWebhook', { webhook_id: 'c' })],
    ['whose data is not JSON', () => issued('webhook/a', 'UpdateWebhook', {}, { payload: '{"webhook_id":' })],
    ['whose data is nothing', () => issued('webhook/a', 'UpdateWebhook', null)],
  ]
  it.each(STRANGE)('%s is refused, and those around it are decided', async (_, strange) => {
    const job = { job_id: 'a', name: 'n', connector_type: 'file', config: '{}' }
    const before = [create('a'), issued('job/a', 'CreateJob', job)]
    const after = [update('a', 'changed'), create('b'), update('c', 'never made')]
    const refused = strange()
    await issue(...before, refused, ...after)
    start()
    const decided = await outcomes(6)
    expect(codes(decided, [...before, ...after])).toEqual([null, null, null, null, 'NOT_FOUND'])
    expect(decided.get(refused.command_id)!.code).toMatch(/^[A-Z_]+$/)
    expect(decided.get(refused.command_id)!.message).toMatch(/\w/)
    await issue(remove('a'))
    expect([...(await outcomes(7)).values()].at(-1)!.code).toBeNull()
  })
})

describe('whoever takes over', () => {
  it('folds what was decided before: nothing is decided twice, and nothing is forgotten', async () => {
    const first = [create('a'), create('b'), remove('b')]
    await issue(...first)
    start()
    await outcomes(first.length)
    await stops.pop()!()
    const second = [create('a'), update('a', 'changed'), create('b'), update('b', 'gone')]
    await issue(...second)
    start()
    const decided = await outcomes(first.length + second.length)
    expect(codes(decided, second)).toEqual(['CONFLICT', null, 'CONFLICT', 'NOT_FOUND'])
    const configured = (await read('sync.webhooks')).map(({ data }) => data as Events['WebhookConfigured'])
    const [made, changed] = configured.filter(({ webhook_id }) => webhook_id === 'a')
    expect(changed!.created_at).toBe(made!.created_at)
  })

  it('decides what its predecessor read and did not get to write', async () => {
    const fails: Log = {
      ...log,
      append: (batches, options) =>
        options?.consumed ? Promise.reject(new Error('the disk is away')) : log.append(batches, options),
    }
    const all = [create('a'), update('a', 'changed')]
    await issue(...all)
    start(fails)
    await new Promise(resolve => setTimeout(resolve, 50))
    await stops.pop()!()
    expect(await read('sync.webhooks')).toEqual([])
    start()
    expect(codes(await outcomes(2), all)).toEqual([null, null])
    expect(await read('sync.webhooks')).toHaveLength(2)
  })

  it('is not misled by its own states after an append that failed', async () => {
    let failures = 2
    const flaky: Log = {
      ...log,
      append: (batches, options) =>
        options?.consumed && failures-- > 0
          ? Promise.reject(new Error('the disk is away'))
          : log.append(batches, options),
    }
    const all = [create('a'), remove('a'), create('b')]
    await issue(...all)
    start(flaky)
    expect(codes(await outcomes(3), all)).toEqual([null, null, null])
    expect(failures).toBeLessThan(0)
  })
})

describe('two deciders of one stream', () => {
  it('decide each command once between them', () =>
    property(3, async random => {
      const before = (await read('sync.outcomes')).length
      start()
      start()
      const service: Commands = await startCommands(log, logger)
      const names = [`x${before}`, `y${before}`, `z${before}`]
      const sent = Array.from({ length: 60 }, () => {
        const id = random.pick(names)
        return random.chance(0.5)
          ? service.send(`webhook/${id}`, { type: 'CreateWebhook', data: webhook(id) as never }, BY)
          : service.send(`webhook/${id}`, { type: 'DeleteWebhook', data: { webhook_id: id } }, BY)
      })
      const settled = await Promise.allSettled(sent)
      const accepted = settled.filter(({ status }) => status === 'fulfilled').length
      await service.stop()
      await Promise.all(stops.splice(0).map(stop => stop()))
      await outcomes(before + 60)
      const events = (await read('sync.webhooks')).filter(({ key }) => names.includes(key.slice('webhook/'.length)))
      expect(events).toHaveLength(accepted)
      // Of each webhook: made once, and perhaps deleted once after that.
      for (const name of names) {
        const types = events.filter(({ key }) => key === `webhook/${name}`).map(({ type }) => type)
        expect(['', 'WebhookConfigured', 'WebhookConfigured WebhookDeleted']).toContain(types.join(' '))
      }
    }))
})
