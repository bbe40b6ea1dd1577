import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, readRecords } from '../kit/api.ts'
import { jobEnd, jobUntil } from '../kit/forms.ts'
import {
  exampleJob,
  makeJob,
  type PullAnswer,
  plainJob,
  postJob,
  runJob,
  SOURCE_TOKEN,
  sqliteRows,
  startJob,
} from '../kit/pulls.ts'
import { answer, type Source, sourceConfig, startSource } from '../kit/rows-source.ts'
import { removeData, type Service, startService } from '../kit/service.ts'

const ROWS = 450
const rows = Array.from({ length: ROWS }, (_, n) => `{"id":${n},"name":"row ${n}","big":1${n}2345678901234567890}`)

let folder: string
let service: Service
let source: Source
let hold: Promise<void> | undefined
let release: () => void = () => undefined
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sync-jobs-'))
  service = await startService({ ALLOW_PRIVATE_ADDRESSES: '127.0.0.0/8' })
  source = await startSource({
    rows: () => rows,
    async instead(request, response) {
      await hold
      const held = request.headers.authorization
      return (
        held !== undefined && held !== `Bearer ${SOURCE_TOKEN}` && answer(response, 401, '{"error":"who are you?"}')
      )
    },
  })
})
afterAll(async () => {
  release()
  await source?.stop()
  await service?.stop()
  removeData(service)
  rmSync(folder, { recursive: true, force: true })
})

/** From now on the source does not answer until `release` is called. */
function holdSource(): void {
  hold = new Promise(resolve => {
    release = () => {
      hold = undefined
      resolve()
    }
  })
}

const command = (id: string, verb: string) =>
  call<PullAnswer>(service, `/jobs/${id}/${verb}`, { method: 'POST', body: {} })
const put = (id: string, body: object) => call<PullAnswer>(service, `/jobs/${id}`, { method: 'PUT', body })

const example = (more: object = {}) => exampleJob(source, more)
/** A job whose rows stay as they are. */
const plain = (more: object = {}) => plainJob(source, more)

describe('preview and validate change nothing', () => {
  it('show rows before and after, exact', async () => {
    const count = async () => (await call<{ total: number }>(service, '/jobs')).body.total
    const before = await count()
    const mappings = { id: 'customer_id', name: 'customer_name' }
    const transformations = [{ type: 'field_mapping', config: { mappings } }]
    const asked = {
      ...example({ transformations }),
      destination: { type: 'database', table: 'never made', mode: 'append' },
    }
    expect((await call(service, '/jobs/validate', { body: asked })).body).toEqual({ valid: true })
    const shown = await call(service, '/jobs/preview', { body: asked })
    expect(shown.status).toBe(200)
    expect(shown.text).toContain(
      '{"before":{"id":1,"name":"row 1","big":112345678901234567890},"after":{"customer_id":1,"customer_name":"row 1","big":112345678901234567890}}',
    )
    expect(await count()).toBe(before)
    expect((await call(service, '/datasets/never%20made')).status).toBe(404)
  })
})

describe('a pull', () => {
  it('into a data set has each row once, exact', async () => {
    const job = await runJob(
      service,
      plain({ destination: { type: 'database', table: 'pulled', mode: 'upsert', key_columns: ['id'] } }),
    )
    expect(job).toMatchObject({ status: 'completed', records_processed: ROWS, records_total: ROWS, progress: 100 })
    const records = await readRecords(service, 'pulled', job.position)
    expect(records.map(({ id }) => Number(id)).sort((a, b) => a - b)).toEqual(rows.map((_, n) => n))
    const { text } = await call(service, `/datasets/pulled/records/7`)
    expect(text).toContain('"big":172345678901234567890')
    const again = await runJob(
      service,
      plain({ destination: { type: 'database', table: 'pulled', mode: 'upsert', key_columns: ['id'] } }),
    )
    const same = await readRecords(service, 'pulled', again.position)
    expect(same.filter(({ version }) => version !== 1)).toEqual([])
  })

  it('into SQLite has each row once, transformed, and says what was refused on the way', async () => {
    const file = join(folder, 'into.db')
    const transformations = [
      { type: 'cast', config: { fields: { name: 'string', id: 'integer' } } },
      { type: 'filter', config: { where: { id: { lt: 200 } } } },
      { type: 'compute', config: { field: 'twice', expression: 'id = 11 ? $error("eleven") : id * 2' } },
    ]
    const destination = {
      type: 'database',
      url: `sqlite://${file}`,
      table: 'my "table"',
      mode: 'upsert',
      key_columns: ['id'],
    }
    const made = await postJob(service, plain({ transformations, destination }))
    expect(made.text).toContain('"status"')
    await startJob(service, made.body.id)
    const job = await jobEnd(service, made.body.id)
    expect(job).toMatchObject({ status: 'completed', records_processed: ROWS, records_rejected: 1 })
    const table = sqliteRows(file, 'select id, name, twice from "my ""table""" order by id')
    const kept = Array.from({ length: 200 }, (_, id) => ({ id, name: `row ${id}`, twice: id * 2 })).filter(
      ({ id }) => id !== 11,
    )
    expect(table).toEqual(kept)
    // Only the job can bring a row to the table, so it is not sent into a data set instead.
    const path = `/rejected?job_id=${job.id}&min_position=${job.position}`
    const { items } = (await call<{ items: { id: string; stage: string }[] }>(service, path)).body
    expect(items.map(({ stage }) => stage)).toEqual(['transform'])
    const mended = { data: { id: 11, name: 'row 11', twice: 22 } }
    expect((await call(service, `/rejected/${items[0]!.id}/replay`, { body: mended })).status).toBe(409)
  })

  it('into a file where the service keeps its own is refused', async () => {
    const destination = { type: 'database', url: `sqlite://${service.dataDir}/mine.db`, table: 't', mode: 'append' }
    const refused = await call(service, '/jobs/validate', { body: plain({ destination }) })
    expect(refused.status).toBe(400)
    expect(refused.text).toContain('keeps its own files')
    expect((await runJob(service, plain({ destination }))).status).toBe('failed')
  })

  it('is paused at a page, resumed, and ends whole; what is illegal is refused', async () => {
    const file = join(folder, 'paused.db')
    const destination = { type: 'database', url: `sqlite://${file}`, table: 't', mode: 'append' }
    const { id } = await makeJob(service, plain({ destination }))
    holdSource()
    await startJob(service, id)
    await jobUntil(service, id, ({ status }) => status === 'running')
    for (const [verb, state] of [
      ['start', 'running'],
      ['resume', 'running'],
    ] as const) {
      const refused = await command(id, verb)
      expect([refused.status, refused.body.error.code]).toEqual([409, 'CONFLICT'])
      expect(refused.body.error.message).toContain(state)
    }
    expect((await put(id, plain({ destination }))).status).toBe(409)
    expect((await command(id, 'pause')).body.status).toBe('paused')
    expect((await call(service, `/jobs/${id}`, { method: 'DELETE' })).status).toBe(409)
    release()
    expect((await command(id, 'resume')).status).toBe(202)
    expect(await jobEnd(service, id)).toMatchObject({ status: 'completed', records_processed: ROWS })
    expect(sqliteRows(file, 'select count(*) as n, count(distinct id) as ids from t')).toEqual([{ n: ROWS, ids: ROWS }])
  })

  it('is cancelled, and starts again from the beginning', async () => {
    const { id } = await makeJob(service, plain({ name: 'cancelled' }))
    holdSource()
    await startJob(service, id)
    await jobUntil(service, id, ({ status }) => status === 'running')
    expect((await command(id, 'cancel')).body.status).toBe('cancelled')
    release()
    await startJob(service, id)
    expect(await jobEnd(service, id)).toMatchObject({ status: 'completed', records_processed: ROWS })
    const runs = await call<{ items: { status: string }[] }>(service, `/jobs/${id}/runs`)
    expect(runs.body.items.map(({ status }) => status)).toEqual(['cancelled', 'completed'])
  })

  it('goes on where it was when it is given the same table with another password', async () => {
    const url = 'postgres://sync:first@127.0.0.1:1/db'
    const connector = { type: 'rest_api', config: sourceConfig(source.url, 100, { cursor_field: 'id' }) }
    const into = (to: string) =>
      plain({ connector, destination: { type: 'database', url: to, table: 't', mode: 'append' } })
    const { id } = await makeJob(service, into(url))
    const state = { cursors: {} }
    const set = (body: object) =>
      call<{ state: object | null }>(service, `/jobs/${id}/state`, { method: 'PATCH', body })
    expect((await set({ state })).body.state).toEqual(state)
    const put = (to: string) => call(service, `/jobs/${id}`, { method: 'PUT', body: into(to) })
    const now = async () => (await call<{ state: object | null }>(service, `/jobs/${id}/state`)).body.state
    expect((await put(url.replace('first', 'second'))).status).toBe(200)
    expect(await now()).toEqual(state)
    expect((await put(url.replace('/db', '/other'))).status).toBe(200)
    expect(await now()).toBeNull()
  })

  it('brings everything again when it is given another table', async () => {
    const connector = { type: 'rest_api', config: sourceConfig(source.url, 100, { cursor_field: 'id' }) }
    const into = (table: string) => ({
      ...{ connector, name: 'incremental' },
      destination: { type: 'database', table, mode: 'upsert', key_columns: ['id'] },
    })
    const { id } = await runJob(service, plain(into('one')))
    expect((await call(service, `/jobs/${id}`, { method: 'PUT', body: plain(into('two')) })).status).toBe(200)
    await startJob(service, id)
    const job = await jobEnd(service, id)
    expect(job).toMatchObject({ status: 'completed', records_processed: ROWS })
    expect(await readRecords(service, 'two', job.position)).toHaveLength(ROWS)
  })

  it('has a state that can be read and set', async () => {
    const endpoint = { cursor_field: 'id', cursor_param: 'from' }
    const connector = { type: 'rest_api', config: sourceConfig(source.url, 100, endpoint) }
    const job = await runJob(service, plain({ connector, name: 'with a cursor' }))
    const state = await call<{ state: object }>(service, `/jobs/${job.id}/state`)
    expect(JSON.stringify(state.body.state)).toContain(String(ROWS - 1))
    await startJob(service, job.id)
    expect(await jobEnd(service, job.id)).toMatchObject({ status: 'completed', records_processed: 0 })
    const reset = await call<{ state: null }>(service, `/jobs/${job.id}/state`, {
      method: 'PATCH',
      body: { state: null },
    })
    expect([reset.status, reset.body.state]).toEqual([200, null])
    await startJob(service, job.id)
    expect(await jobEnd(service, job.id)).toMatchObject({ status: 'completed', records_processed: ROWS })
  })
})
