import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { conflictsAt, pushOne, recordAt, reopen, resolve, setPolicy } from '../kit/conflicts.ts'
import { available } from '../kit/faults.ts'
import { createFleet, type Fleet } from '../kit/fleet.ts'
import { importedRows } from '../kit/imports.ts'
import { type Broker, startBroker } from '../kit/kafka.ts'
import { outsideFiles, outsidePath, outsideRows, sameOf } from '../kit/outside-files.ts'
import { createDatabase } from '../kit/postgres.ts'
import { until } from '../kit/processes.ts'
import { type Redis, startRedis } from '../kit/redis.ts'
import { type Service, type ServiceProcess, startProcess, untilProjected } from '../kit/service.ts'
import { startWire } from '../kit/wire.ts'

const [kafka, postgres] = [inject('kafka'), inject('postgres')]
const possible = available('the fleet', kafka && postgres ? undefined : 'It needs Kafka and PostgreSQL.')

describe.skipIf(!possible)('each role in a process of its own', () => {
  let broker: Broker
  let redis: Redis
  let database: Awaited<ReturnType<typeof createDatabase>>
  let fleet: Fleet
  let [one, two]: Service[] = []
  let others: ServiceProcess[]

  beforeAll(async () => {
    ;[broker, redis, database] = await Promise.all([startBroker(), startRedis(), createDatabase(postgres!)])
    const servers = { brokers: broker.brokers, registryUrl: kafka!.registryUrl, redisUrl: redis.url }
    // However slow the machine is, a Redis that runs is not taken for one that is lost.
    fleet = createFleet({ ...servers, databaseUrl: database.url }, { REDIS_TIMEOUT_MS: '10000' })
    others = await Promise.all([fleet.member('decider'), fleet.member('decider'), fleet.member('projector')])
    ;[one, two] = await Promise.all([fleet.edge(), fleet.edge(), fleet.member('runner')])
  }, 120_000)
  afterAll(async () => {
    await fleet?.stop()
    await Promise.all([broker?.stop(), redis?.stop(), database?.drop()])
  }, 60_000)

  const push = (edge: Service, id: string) =>
    edge.post('/push/batch', { source: 's', records: [{ id, dataset: 'fleet', data: { id } }] })

  it('what is pushed at one edge is read at another, with the token of a third party to both', async () => {
    const { position } = (await (await push(one!, 'a')).json()) as { position: string }
    const headers = { authorization: `Bearer ${one!.token}` }
    const path = `${two!.url}/datasets/fleet/records/a?min_position=${position}`
    const answer = await fetch(path, { headers })
    expect([answer.status, await answer.json()]).toMatchObject([200, { id: 'a', data: { id: 'a' }, position }])
  })

  it('the history at either edge is one, and goes on from any of its events', async () => {
    for (let n = 0; n < 20; n++) await push(n % 2 === 0 ? one! : two!, `h${n}`)
    const read = async (edge: Service, from: string) => {
      const headers = { authorization: `Bearer ${edge.token}`, accept: 'application/x-ndjson' }
      const answer = await fetch(`${edge.url}/events?topic=sync.records&topic=sync.jobs${from}`, { headers })
      expect(answer.status).toBe(200)
      const lines = (await answer.text()).split('\n').filter(Boolean)
      return lines.map(line => JSON.parse(line) as { id: string; time: string; position: string })
    }
    const whole = await read(one!, '')
    expect(whole.length).toBeGreaterThanOrEqual(20)
    const times = whole.map(({ time }) => time)
    expect(times).toEqual([...times].sort())
    expect(await read(two!, '')).toEqual(whole)
    for (const [n, { position, time }] of whole.entries()) {
      expect(await read(two!, `&from=${position}`)).toEqual(whole.slice(n + 1))
      expect(await read(one!, `&to=${position}`)).toEqual(whole.slice(0, n + 1))
      expect(await read(one!, `&from=${time}`)).toEqual(whole.filter(event => event.time > time))
    }
  })

  it.each([
    'csv-pandas.csv',
    'json-duckdb.ndjson',
    'parquet-types.parquet',
    'parquet-nested.parquet',
    'excel-openpyxl.xlsx',
  ])(
    'the file %s, uploaded at one edge and imported by a runner, is read at another as its maker reads it',
    async name => {
      const { format, options, rows } = outsideFiles.find(({ file }) => file === name)!
      const how = { filename: name, format, options: { dataset: name, ...options } }
      const same = sameOf(format)
      const found = await importedRows(one!, two!, readFileSync(outsidePath(name)), how)
      expect(found.map(same)).toEqual(outsideRows(rows).map(same))
    },
    60_000,
  )

  it('an API key made at one edge is good at the other from its answer on', async () => {
    for (let n = 0; n < 5; n++) {
      const made = await one!.post('/api-keys', { name: `key ${n}`, permissions: ['sync:read'] })
      const { key } = (await made.json()) as { key: string }
      expect((await fetch(`${two!.url}/datasets`, { headers: { 'x-api-key': key } })).status).toBe(200)
    }
    expect((await fetch(`${two!.url}/datasets`, { headers: { 'x-api-key': 'sk_live_made_up' } })).status).toBe(401)
  })

  it('of two edges that revoke one key at once, one wins and the other is told 409', async () => {
    const statuses = new Set<string>()
    for (let n = 0; n < 10; n++) {
      const made = await one!.post('/api-keys', { name: 'raced', permissions: ['sync:read'] })
      const { id } = (await made.json()) as { id: string }
      const revoke = ({ url, token }: Service) =>
        fetch(`${url}/api-keys/${id}`, { method: 'DELETE', headers: { authorization: `Bearer ${token}` } })
      const answers = await Promise.all([revoke(one!), revoke(two!)])
      const told = answers.map(({ status }) => status).sort()
      // Whoever comes so late that the key is seen to be gone is told that.
      expect([204, 409, 404]).toEqual(expect.arrayContaining(told))
      expect(told.filter(status => status === 204)).toHaveLength(1)
      statuses.add(told.join())
    }
    expect(statuses).toContain('204,409')
  })

  it('a conflict that a push at one edge has made is decided at another; of both at once one wins', async () => {
    for (let n = 0; n < 5; n++) {
      const dataset = `fought-${n}`
      await setPolicy(one!, dataset, 'manual')
      for (const a of [1, 2]) await pushOne(one!, dataset, { id: 'r', data: { a } })
      const position = await pushOne(one!, dataset, { id: 'r', data: { a: 3 }, metadata: { version: 1 } })
      const [conflict] = await conflictsAt(two!, dataset, position)
      expect(conflict).toMatchObject({ status: 'open', current: { a: 2 }, incoming: { a: 3 } })
      const decide = (edge: Service, resolution: string) => resolve(edge, conflict!.id, { resolution })
      const answers = await Promise.all([decide(one!, 'accept_incoming'), decide(two!, 'keep_current')])
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 409])
      const won = answers.find(({ status }) => status === 200)!.body
      const row = await recordAt(two!, dataset, 'r', won.position)
      expect(row!.data).toEqual({ a: won.resolution === 'accept_incoming' ? 3 : 2 })
      expect((await reopen(two!, conflict!.id)).status).toBe(200)
      const kept = await resolve(one!, conflict!.id, { resolution: 'keep_current' })
      expect((await recordAt(one!, dataset, 'r', kept.body.position))!.data).toEqual({ a: 2 })
    }
  })

  it('limits count over all edges, to the request', async () => {
    const limits = { RATE_LIMIT_API: '50' }
    const [left, right] = await Promise.all([fleet.edge(limits), fleet.edge(limits)])
    const made = await one!.post('/api-keys', { name: 'hammer', permissions: ['sync:read'] })
    const headers = { 'x-api-key': ((await made.json()) as { key: string }).key }
    const ask = ({ url }: Service) => fetch(`${url}/datasets`, { headers })
    const answers = await Promise.all(Array.from({ length: 80 }, (_, n) => ask(n % 2 ? left : right)))
    const codes = answers.map(({ status }) => status)
    expect(codes.filter(status => status === 200)).toHaveLength(50)
    expect(codes.filter(status => status === 429)).toHaveLength(30)
  })

  it('an Idempotency-Key given to one edge is known to the other, and of both at once one takes the push', async () => {
    const headers = { authorization: `Bearer ${one!.token}`, 'content-type': 'application/json' }
    const pushUnder = async ({ url }: Service, key: string) => {
      const body = JSON.stringify({ dataset: 'keys', records: [1, 2].map(n => ({ id: key, data: { n } })) })
      const init = { method: 'POST', headers: { ...headers, 'idempotency-key': key }, body }
      const answer = await fetch(`${url}/push/batch`, init)
      return { status: answer.status, text: await answer.text(), again: answer.headers.get('idempotency-replayed') }
    }
    const first = await pushUnder(one!, 'k')
    expect(await pushUnder(two!, 'k')).toEqual({ status: 200, text: first.text, again: 'true' })
    const taken = [first.text]
    for (let n = 0; n < 10; n++) {
      const answers = await Promise.all([one!, two!, one!, two!].map(edge => pushUnder(edge, `k${n}`)))
      const answered = answers.filter(({ status }) => status === 200)
      expect(answered.filter(({ again }) => again === null)).toHaveLength(1)
      expect(new Set(answered.map(({ text }) => text)).size).toBe(1)
      for (const { status } of answers) expect([200, 409]).toContain(status)
      taken.push(answered[0]!.text)
    }
    // What one edge took says nothing of the partitions that the other wrote.
    for (const text of taken) await untilProjected(two!, JSON.parse(text).position)
    const read = await fetch(`${two!.url}/datasets/keys/records`, { headers })
    const { items } = (await read.json()) as { items: { version: number }[] }
    expect(items.map(({ version }) => version)).toEqual(taken.map(() => 2))
  })

  it('every process tells of its health and its metrics, without credentials', async () => {
    for (const { url } of [...others, one!, two!]) {
      expect((await fetch(`${url}/health/live`)).status).toBe(200)
      expect((await fetch(`${url}/health/ready`)).status).toBe(200)
      expect(await (await fetch(`${url}/metrics`)).text()).toContain('sync_log_rebalances')
    }
    const [decider, second, projector] = others
    const metrics = async ({ url }: ServiceProcess) => (await fetch(`${url}/metrics`)).text()
    expect(await metrics(projector!)).toMatch(/sync_projection_lag_events\{stream="sync.records-5"\} 0/)
    expect(await metrics(projector!)).toMatch(/sync_last_commit_timestamp_seconds\{stream="sync.records-0"\} \d+/)
    // The three partitions of commands are shared by the two deciders.
    const held = async (member: ServiceProcess) =>
      (await metrics(member)).match(/lag_events\{stream="sync.commands-\d"\}/g) ?? []
    const all = [...(await held(decider!)), ...(await held(second!))]
    expect(new Set(all).size).toBe(3)
    expect(all).toHaveLength(3)
    expect((await fetch(`${projector!.url}/datasets`)).status).toBe(404)
  })

  it('a projector that holds streams and gets nowhere is not ready, and says which', async () => {
    await others[2]!.stop()
    const url = new URL(database.url)
    const wire = await startWire(Number(url.port))
    url.port = String(wire.port)
    const stuck = await fleet.member('projector', { DATABASE_URL: url.href, READY_STALL_SECONDS: '1' })
    const ready = async () => {
      const answer = await fetch(`${stuck.url}/health/ready`)
      return {
        status: answer.status,
        body: (await answer.json()) as { stalled: string[]; lag: Record<string, number> },
      }
    }
    await until('it to hold every stream, and to have come to the end of it', async () => {
      const lag = Object.entries((await ready()).body.lag)
      const records = lag.filter(([name]) => name.startsWith('sync.records-'))
      return records.length === 6 && lag.every(([, events]) => events === 0)
    })
    wire.silence()
    await push(one!, 'b')
    const told = await until('it to say that it is stuck', async () => {
      const { status, body } = await ready()
      return status === 503 && body
    })
    expect(told.stalled).toEqual([expect.stringMatching(/^sync\.records-\d$/)])
    wire.heal()
    await until('it to be ready again', async () => (await ready()).status === 200, 60_000)
    await wire.stop()
  })

  it('a process that cannot reach its database does not start, and does not tell the password', async () => {
    const nowhere = { ...fleet.env, ROLES: 'projector', DATABASE_URL: 'postgres://nobody:s3cret@127.0.0.1:1/none' }
    const refused = await startProcess(nowhere).catch(error => error as Error)
    expect(String(refused)).toMatch(/the read store: connect ECONNREFUSED/)
    expect(String(refused)).not.toContain('s3cret')
  })
})

describe('a role alone', () => {
  const KEY = 'a'.repeat(64)
  it.each([
    [
      'names what it shares with the others',
      { ROLES: 'edge' },
      /ROLES=edge: .* set KAFKA_BROKERS, DATABASE_URL, ENCRYPTION_KEY/,
    ],
    ['needs no key without an edge', { ROLES: 'projector', ENCRYPTION_KEY: '' }, /set KAFKA_BROKERS, DATABASE_URL too/],
    [
      'must be one',
      { ROLES: 'edge,clerk', ENCRYPTION_KEY: KEY },
      /ROLES=edge,clerk: "clerk" is not a role, expected all or/,
    ],
  ])('%s', async (_, env, message) => {
    await expect(startProcess(env)).rejects.toThrow(message)
  })
})
