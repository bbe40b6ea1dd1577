import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, type Item, pushLines, tokenFor } from '../kit/api.ts'
import { randomFor } from '../kit/faults.ts'
import { readModelOf } from '../kit/life.ts'
import { until } from '../kit/processes.ts'
import { askForRebuild, leftovers, type Projection, projectionOf, untilRebuilt } from '../kit/rebuilds.ts'
import { removeData, type Service, startService, untilProjected } from '../kit/service.ts'

const NAMES = ['records', 'conflicts', 'settings', 'rejections', 'jobs']

describe('a rebuild', () => {
  let service: Service
  beforeAll(async () => {
    service = await startService()
  })
  afterAll(async () => {
    await service?.stop()
    removeData(service)
  })

  it('is of a projection that there is, and asked for by an administrator', async () => {
    const { status, body } = await call<{ items: Projection[] }>(service, '/projections')
    expect(status).toBe(200)
    expect(body.items.map(({ name }) => name)).toEqual(NAMES)
    for (const item of body.items) expect(item).toMatchObject({ lag: 0, rebuild: null, version: expect.any(Number) })
    const unknown = await call(service, '/projections/nope/rebuild', { method: 'POST' })
    expect([unknown.status, unknown.body.error.code]).toEqual([404, 'NOT_FOUND'])
    expect(unknown.body.error.message).toBe(`there is no projection nope; there are ${NAMES.join(', ')}`)
    expect((await call(service, '/projections/nope')).status).toBe(404)
    const as = (await tokenFor(service, 'sync:read sync:write')).access_token
    expect((await call(service, '/projections/records', { as })).status).toBe(200)
    expect((await call(service, '/projections/records/rebuild', { method: 'POST', as })).status).toBe(403)
  })

  it('finds damaged rows, names them and heals them', async () => {
    const lines = Array.from({ length: 20_000 }, (_, n) => JSON.stringify({ id: `k${n}`, data: { n } })).join('\n')
    await untilProjected(service, (await pushLines(service, 'dataset=d', lines)).body.position)
    const db = new DatabaseSync(readModelOf(service), { timeout: 10_000 })
    db.exec(`update records set data = '{"n":"damaged"}' where id = 'k5'; delete from records where id = 'k7';
      insert into records(dataset, id, data, version, deleted, updated_at, stream, "offset", basis, verdict) select dataset, 'extra', data, version, deleted, updated_at, stream, "offset", basis, verdict from records where id = 'k1'`)
    db.close()
    const id = await askForRebuild(service, 'records')
    const again = await call(service, '/projections/records/rebuild', { method: 'POST' })
    expect([again.status, again.body.error.code]).toEqual([409, 'CONFLICT'])
    expect(again.body.error.message).toContain(`a rebuild of records is under way already: ${id}`)
    const ended = await untilRebuilt(service, 'records')
    expect(ended).toMatchObject({ id, state: 'completed', reason: 'asked', error: null })
    expect(ended.compared).toMatchObject({
      differing: 3,
      gone: 0,
      version: ended.compared.version_before,
    })
    const [records] = ended.compared.tables
    expect(records).toMatchObject({ table: 'records', rows: 20_000, changed: 1, live_only: 1, made_only: 1 })
    expect(records!.keys.map(key => key.join('/')).sort()).toEqual(['d/extra', 'd/k5', 'd/k7'])
    const read = (name: string) => call<Item>(service, `/datasets/d/records/${name}`)
    expect((await read('k5')).body.data).toEqual({ n: 5 })
    expect((await read('k7')).body.data).toEqual({ n: 7 })
    expect((await read('extra')).status).toBe(404)
    const metrics = await (await fetch(`${service.url}/metrics`)).text()
    expect(metrics).toContain('sync_projection_rebuild_differing_rows_total{projection="records"} 3')
    expect(service.process.output()).toContain('live rows were not what follows from the events')
    await until('what is old to be removed', () => leftovers(readModelOf(service)).length === 0)
  })

  it('is made of every projection, and finds nothing more', async () => {
    for (const name of NAMES) await askForRebuild(service, name)
    for (const name of NAMES) expect((await untilRebuilt(service, name)).compared.differing, name).toBe(0)
    await until('what is old to be removed', () => leftovers(readModelOf(service)).length === 0)
    const db = new DatabaseSync(readModelOf(service))
    const indexes = db.prepare(
      "select tbl_name, count(*) as count from sqlite_schema where sql like 'CREATE INDEX%' group by 1",
    )
    expect(indexes.all()).toContainEqual({ tbl_name: 'conflicts', count: 4 })
    db.close()
  })

  it('is made of rows of an earlier version when the service starts, once', async () => {
    await service.stop()
    const db = new DatabaseSync(readModelOf(service))
    db.exec("update generations set version = 0 where projection = 'jobs'")
    db.close()
    service = await startService({}, { dataDir: service.dataDir })
    const first = await untilRebuilt(service, 'jobs')
    expect(first).toMatchObject({ reason: 'version', state: 'completed', compared: { version_before: 0 } })
    await service.stop()
    service = await startService({}, { dataDir: service.dataDir })
    expect(await projectionOf(service, 'jobs')).toMatchObject({ rebuild: null, last_rebuild: { id: first.id } })
  })
})

describe('a rebuild that is killed', () => {
  const points = ['rebuild.begun', 'projector.committed', 'rebuild.comparing', 'rebuild.held', 'rebuild.swapped']

  it.each(points)('at %s goes on when the service starts again', { timeout: 120_000 }, async point => {
    const random = randomFor(`killed at ${point}`)
    const env = { PROJECTION_MAX_EVENTS: '700' }
    let service = await startService(env)
    const { dataDir } = service
    const file = join(dataDir, 'read.db')
    try {
      const lines = Array.from({ length: 15_000 }, (_, n) => JSON.stringify({ id: `k${n}`, data: { n } })).join('\n')
      await untilProjected(service, (await pushLines(service, 'dataset=d', lines)).body.position)
      await service.stop()
      const nth = point === 'projector.committed' ? 1 + random.int(20) : 1
      service = await startService({ ...env, CRASH_AT: `${point}:${nth}` }, { dataDir })
      const { child } = service.process
      const id = await askForRebuild(service, 'records').catch(() => undefined)
      await until(`the service to die at ${point}`, () => child.signalCode === 'SIGKILL', 60_000)
      service = await startService(env, { dataDir })
      const ended = await untilRebuilt(service, 'records')
      expect(ended).toMatchObject({ state: 'completed', compared: { differing: 0 } })
      expect(ended.compared.tables[0]).toMatchObject({ table: 'records', rows: 15_000 })
      if (id) expect(ended.id).toBe(id)
      expect((await call<Item>(service, '/datasets/d/records/k14999')).body.data).toEqual({ n: 14_999 })
      await until('what is old to be removed', () => leftovers(file).length === 0)
      const told = await call<{ items: unknown[] }>(service, '/events?topic=sync.projections&limit=100')
      expect(told.body.items).toHaveLength(2)
    } finally {
      await service.stop()
      removeData(service)
    }
  })

  it('or stopped in order goes on from where it was', { timeout: 120_000 }, async () => {
    const env = { PROJECTION_MAX_EVENTS: '200' }
    let service = await startService(env)
    const { dataDir } = service
    try {
      const lines = Array.from({ length: 60_000 }, (_, n) => JSON.stringify({ id: `k${n}`, data: { n } })).join('\n')
      await untilProjected(service, (await pushLines(service, 'dataset=d', lines)).body.position)
      const id = await askForRebuild(service, 'records')
      await until(
        'some to be filled',
        async () => ((await projectionOf(service, 'records')).rebuild?.progress ?? 0) > 5,
      )
      await service.stop()
      const db = new DatabaseSync(join(dataDir, 'read.db'))
      const { rows } = db.prepare('select count(*) as rows from "records~2"').get() as { rows: number }
      db.close()
      expect(rows).toBeGreaterThan(1000)
      expect(rows).toBeLessThan(60_000)
      service = await startService(
        { ...env, CRASH_AT: `projector.committed:${Math.ceil((60_000 - rows) / 200) + 5}` },
        { dataDir },
      )
      expect(await untilRebuilt(service, 'records')).toMatchObject({
        id,
        state: 'completed',
        compared: { tables: expect.arrayContaining([expect.objectContaining({ table: 'records', rows: 60_000 })]) },
      })
    } finally {
      await service.stop()
      removeData(service)
    }
  })
})
