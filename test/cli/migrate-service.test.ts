import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import {
  call,
  credentialsOf,
  type Item,
  type Problem,
  pushBatch,
  pushLines,
  readRecords,
  type TokenAnswer,
} from '../kit/api.ts'
import { auditChains, readChanges } from '../kit/audit.ts'
import { conflictsAt, pushOne, reopen } from '../kit/conflicts.ts'
import { type Broker, startBroker } from '../kit/kafka.ts'
import { openLogOf } from '../kit/life.ts'
import { auditCopy, comparedIn, migrate } from '../kit/migrate.ts'
import { until } from '../kit/processes.ts'
import { removeData, type Service, startService } from '../kit/service.ts'
import { type Listener, listen, type Message } from '../kit/sockets.ts'

const DATASETS = ['people', 'orders 注文']
const RECORDS = 400

const kafka = inject('kafka')
let broker: Broker
let env: Record<string, string>

beforeAll(async () => {
  if (!kafka) return
  broker = await startBroker()
  env = { KAFKA_BROKERS: broker.brokers, SCHEMA_REGISTRY_URL: kafka.registryUrl }
})
afterAll(() => broker?.stop())

/** What callers of a service hold in their hands when it is stopped to be moved. */
interface Before {
  datasets: unknown
  records: Map<string, Item[]>
  messages: Message[]
  receipts: string[]
  token: string
  revokedToken: string
  refresh: string
  spent: string
  keys: { good: string; revoked: string }
}

type Key = { key: string; id: string }

function lines(from: number, count: number): string {
  const line = (n: number) => `{"id":"r${n % 150}","data":{"n":${n},"exact":9007199254740993.10}}\n`
  return Array.from({ length: count }, (_, i) => line(from + i)).join('')
}

/** Uses a service in every way there is, and notes what it answers. */
async function use(service: Service): Promise<Before> {
  const listener = await listen(service)
  await listener.subscribe()
  const receipts: string[] = []
  for (const dataset of DATASETS) {
    for (let n = 0; n < RECORDS; n += 100)
      receipts.push((await pushLines(service, `dataset=${encodeURIComponent(dataset)}`, lines(n, 100))).body.position)
    const deleted = await pushBatch(service, dataset, [
      { id: 'r1', op: 'delete' },
      { id: 'r2', data: { n: 1 } },
    ])
    const same = await pushBatch(service, dataset, [{ id: 'r2', data: { n: 1 } }])
    receipts.push(deleted.body.position, same.body.position)
    const stale = await pushOne(service, dataset, { id: 'r2', data: { n: 9 }, metadata: { version: 0 } })
    const [conflict] = await conflictsAt(service, dataset, stale)
    expect((await reopen(service, conflict!.id)).status).toBe(200)
    receipts.push(stale)
    const refused = await pushLines(
      service,
      `dataset=${encodeURIComponent(dataset)}`,
      '{"id":"x","data":{}}\nnot json\n',
    )
    expect(refused.body).toMatchObject({ accepted: 1, rejected: 1 })
  }
  const key = async (name: string) =>
    (await call<Key>(service, '/api-keys', { body: { name, permissions: ['sync:read', 'sync:write'] } })).body
  const [good, revoked] = [await key('good'), await key('revoked')]
  expect((await call(service, `/api-keys/${revoked.id}`, { method: 'DELETE' })).status).toBe(204)
  const grant = { grant_type: 'client_credentials', ...credentialsOf(service) }
  const first = (await call<TokenAnswer>(service, '/auth/token', { as: null, body: grant })).body
  const second = (await refreshed(service, first.refresh_token)).body
  const gone = (await call<TokenAnswer>(service, '/auth/token', { as: null, body: grant })).body.access_token
  expect((await call(service, '/auth/revoke', { as: null, body: { token: gone } })).status).toBe(200)
  const last = await pushBatch(service, 'end', [{ id: 'last', data: {} }])
  receipts.push(last.body.position)
  await listener.untilChange('last')
  listener.close()
  return {
    ...(await readBack(service, last.body.position)),
    messages: listener.changes(),
    receipts,
    token: second.access_token,
    revokedToken: gone,
    refresh: second.refresh_token,
    spent: first.refresh_token,
    keys: { good: good.key, revoked: revoked.key },
  }
}

async function readBack(service: Service, position: string): Promise<Pick<Before, 'datasets' | 'records'>> {
  const { body } = await call<{ datasets: unknown }>(service, `/datasets?min_position=${position}`)
  const records = new Map<string, Item[]>()
  for (const dataset of [...DATASETS, 'end'])
    records.set(dataset, (await readRecords(service, dataset, position)).map(withoutPlace))
  return { datasets: body.datasets, records }
}

/** A place is the log's own: it is another text on Kafka. */
function withoutPlace(item: Item): Item {
  return { ...item, position: '' }
}

function refreshed(service: Service, refresh_token: string) {
  const body = { grant_type: 'refresh_token', refresh_token }
  return call<TokenAnswer & Problem>(service, '/auth/token', { as: null, body })
}

const payloads = (messages: Message[]) => messages.map(({ payload }) => payload)

/** A service of the same keys and clients with nothing of the DATA_DIR they come from. */
async function startAnew(from: string): Promise<Service> {
  const { client_id, client_secret } = credentialsOf({ dataDir: from })
  const secrets = {
    ENCRYPTION_KEY: readFileSync(join(from, 'encryption.key'), 'utf8').trim(),
    ADMIN_CLIENT_ID: client_id,
    ADMIN_CLIENT_SECRET: client_secret,
  }
  const dataDir = mkdtempSync(join(tmpdir(), 'sync-anew-'))
  // For the kit, which takes its own token with them.
  cpSync(join(from, 'credentials.json'), join(dataDir, 'credentials.json'))
  return startService({ ...env, ...secrets }, { dataDir })
}

/** A subscriber that continues from a position, once it has as many changes as it should, and any that are too many. */
async function resumedFrom(service: Service, since: string, count: number): Promise<Listener> {
  const listener = await listen(service)
  const answer = await listener.subscribe({ since })
  expect(answer.payload.recovered).toBe(true)
  await until(`${count} changes since ${since}`, () => listener.changes().length >= count)
  listener.send('ping')
  await listener.next('pong')
  listener.close()
  return listener
}

describe.skipIf(!kafka)('a service that moves to Kafka', () => {
  let before: Before
  let dataDir: string
  beforeAll(async () => {
    const service = await startService()
    dataDir = service.dataDir
    before = await use(service)
    await service.stop()
  })
  afterAll(() => rmSync(dataDir, { recursive: true, force: true }))

  it('is copied whole, and every topic is named with its count', async () => {
    const registry = env.SCHEMA_REGISTRY_URL!.replace('http://', 'http://someone:s3cret@')
    const migration = await migrate(dataDir, { ...env, SCHEMA_REGISTRY_URL: registry })
    expect(migration.stdout).toContain(`SCHEMA_REGISTRY_URL=${registry.replace('someone:s3cret', '***')}`)
    expect(migration.stderr).toBe('')
    expect(migration.code).toBe(0)
    expect(comparedIn(migration)).toMatchObject({ 'sync.records': 2 * (RECORDS + 5) + 1, 'sync.rejected': 2 })
    expect(comparedIn(migration)['sync.conflicts']).toBe(4)
    expect(migration.stdout).not.toContain(readFileSync(join(dataDir, 'encryption.key'), 'utf8').trim())
    expect(migration.stdout).not.toContain(credentialsOf({ dataDir }).client_secret)
    const [from, to] = [await openLogOf({ dataDir }), await openLogOf({ dataDir }, env)]
    expect(await auditCopy(from, to)).toEqual([])
    const ends = await to.ends('sync.origins')
    await Promise.all([from.stop(), to.stop()])
    const again = await migrate(dataDir, env)
    expect(again).toMatchObject({ code: 0, stderr: '' })
    expect(again.stdout).toContain('Everything was there already')
    expect(comparedIn(again)).toEqual(comparedIn(migration))
    const later = await openLogOf({ dataDir }, env)
    expect(await later.ends('sync.origins')).toEqual(ends)
    await later.stop()
  })

  it('goes on as if nothing had happened', async () => {
    const service = await startAnew(dataDir)
    try {
      const last = before.receipts.at(-1)!
      expect(await readBack(service, last)).toEqual({ datasets: before.datasets, records: before.records })

      const status = async (headers: Record<string, string>) =>
        (await call(service, '/datasets', { as: null, headers })).status
      expect(await status({ authorization: `Bearer ${before.token}` })).toBe(200)
      expect(await status({ authorization: `Bearer ${before.revokedToken}` })).toBe(401)
      expect(await status({ 'x-api-key': before.keys.good })).toBe(200)
      expect(await status({ 'x-api-key': before.keys.revoked })).toBe(401)

      // From receipts and from messages, near the beginning, in the middle and at the end.
      const { messages } = before
      const offset = (position: string) => Number.parseInt(position.split('.')[1]!, 36)
      const place = (since: string) => messages.findIndex(({ position }) => offset(position) > offset(since))
      const positions = [
        ...before.receipts.slice(0, -1),
        ...[0, 1, 250, messages.length - 2].map(n => messages[n]!.position),
      ]
      for (const since of positions) {
        const want = messages.slice(place(since))
        const listener = await resumedFrom(service, since, want.length)
        const ofKey = (all: Message[]) => Map.groupBy(payloads(all), ({ table, record_id }) => `${table} ${record_id}`)
        expect(ofKey(listener.changes())).toEqual(ofKey(want))
      }
      const beginning = await resumedFrom(service, `${last.split('~')[0]}~`, messages.length)
      expect(beginning.changes()).toHaveLength(messages.length)

      // Old and new together: what was pushed last before, then what is pushed now, once each.
      const { body } = await pushBatch(service, 'people', [
        { id: 'r2', data: { n: 2 } },
        { id: 'r1', data: { back: true } },
      ])
      const listener = await resumedFrom(service, messages.at(-2)!.position, 3)
      expect(
        listener
          .changes()
          .map(({ payload }) => payload.record_id)
          .toSorted(),
      ).toEqual(['last', 'r1', 'r2'])
      const [r1, r2] = ['r1', 'r2'].map(id => before.records.get('people')!.find(each => each.id === id))
      expect(r1).toBeUndefined()
      const now = await readRecords(service, 'people', body.position)
      expect(now.find(({ id }) => id === 'r2')).toMatchObject({ data: { n: 2 }, version: r2!.version + 1 })

      // A position that the embedded log had not given out yet when it was copied.
      const beyond = `${last.split('~')[0]}~log.zzzzzz`
      expect((await call(service, `/datasets?min_position=${beyond}`)).status).toBe(400)
      const stranger = await listen(service)
      stranger.send('subscribe', { channel: 'sync_updates', since: beyond })
      await stranger.next('resync_required')
      stranger.close()

      const rotated = await refreshed(service, before.refresh)
      expect(rotated.status).toBe(200)
      expect((await refreshed(service, before.spent)).status).toBe(401)
      expect((await refreshed(service, rotated.body.refresh_token)).status).toBe(401)
    } finally {
      await service.stop()
      removeData(service)
    }
    const log = await openLogOf({ dataDir }, env)
    const changes = await readChanges(log)
    await log.stop()
    expect(changes.faults).toEqual([])
    expect(changes.once.size).toBe(before.messages.length + 2)
    expect(auditChains([...changes.once.values()].map(({ change }) => change))).toEqual([])
  })

  it('finds the copy good also after Kafka has gone on, but takes nothing more from the log that was left', async () => {
    const again = await migrate(dataDir, env)
    expect(again).toMatchObject({ code: 0, stderr: '' })
    const service = await startService({}, { dataDir })
    await pushBatch(service, 'people', [{ id: 'late', data: {} }])
    await service.stop()
    const refused = await migrate(dataDir, env)
    expect(refused.code).toBe(2)
    expect(refused.stderr).toMatch(
      /has had events of its own since the copy was finished, from offset \d+ on, and DATA_DIR's log has \d+ new ones/,
    )
  })

  it('has its read store filled anew when it keeps its DATA_DIR', async () => {
    const service = await startService(env, { dataDir })
    const found = await readBack(service, before.receipts.at(-1)!)
    await service.stop()
    expect(found.records.get('orders 注文')).toEqual(before.records.get('orders 注文'))
    expect(found.records.get('people')!.some(({ id }) => id === 'late')).toBe(false)
  })
})
