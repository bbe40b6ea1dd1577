import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, type Problem, readRecords, tokenFor } from '../kit/api.ts'
import { jobEnd, jobUntil } from '../kit/forms.ts'
import { makeJob, type PullAnswer, postJob, runJob, sqliteRows, startJob } from '../kit/pulls.ts'
import { removeData, type Service, startService } from '../kit/service.ts'
import { answer, type Source, sourceConfig, startSource } from '../kit/source.ts'

const TOKEN = 'the-token-of-the-source'
const ROWS = 450
const rows = Array.from({ length: ROWS }, (_, n) => `{"id":${n},"name":"row ${n}","big":${n}12345678901234567890}`)

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
      return held !== undefined && held !== `Bearer ${TOKEN}` && answer(response, 401, '{"error":"who are you?"}')
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
const get = (id: string) => call<PullAnswer>(service, `/jobs/${id}`)
const put = (id: string, body: object) => call<PullAnswer>(service, `/jobs/${id}`, { method: 'PUT', body })

/** The example of the contract, at our source. */
const example = (more: object = {}) => ({
  name: 'Customer Data Sync',
  connector: {
    type: 'rest_api',
    config: { ...sourceConfig(source.url), auth: { type: 'bearer', token: TOKEN } },
  },
  schedule: { type: 'cron', expression: '0 */6 * * *' },
  transformations: [{ type: 'field_mapping', config: { mappings: { customer_id: 'id', customer_name: 'name' } } }],
  destination: { type: 'database', table: 'customers', mode: 'upsert', key_columns: ['id'] },
  ...more,
})
/** A job whose rows stay as they are. */
const plain = (more: object = {}) => example({ transformations: [], schedule: { type: 'manual' }, ...more })

describe('a job', () => {
  it('is made as the contract has it, shown without its secrets, changed and deleted', async () => {
    const made = await postJob(service, example())
    expect(made.status).toBe(201)
    expect(made.body).toMatchObject({ name: 'Customer Data Sync', status: 'pending', progress: 0 })
    expect(made.body.id).toMatch(/^job_/)
    expect(Date.parse(made.body.created_at)).toBeGreaterThan(0)
    const { body: shown, text } = await get(made.body.id)
    expect(text).not.toContain(TOKEN)
    const { connector, schedule, transformations, destination } = example()
    const hidden = { ...connector, config: { ...connector.config, auth: { type: 'bearer', token: '***' } } }
    expect(shown).toMatchObject({ connector: hidden, schedule, transformations, destination })
    expect(shown.next_runs).toHaveLength(5)
    for (const time of shown.next_runs) expect(new Date(time).getUTCHours() % 6).toBe(0)

    const changed = await put(shown.id, { ...example(), name: 'Renamed', connector: hidden })
    expect([changed.status, changed.body.name]).toEqual([200, 'Renamed'])
    const listed = await call<{ items: PullAnswer[]; total: number }>(
      service,
      '/jobs?connector_type=rest_api&status=pending',
    )
    expect(listed.body.items.map(({ name }) => name)).toContain('Renamed')
    expect((await call(service, `/jobs/${shown.id}`, { method: 'DELETE' })).status).toBe(204)
    expect((await get(shown.id)).status).toBe(404)
  })

  it('whose stored token is kept by "***" still gets in', async () => {
    const { id, connector } = await makeJob(service, plain({ name: 'kept' }))
    expect((await put(id, plain({ name: 'kept', connector }))).status).toBe(200)
    await startJob(service, id)
    expect(await jobEnd(service, id)).toMatchObject({ status: 'completed', records_processed: ROWS })
  })

  it('does not send a stored token to another server', async () => {
    const { id, connector } = await makeJob(service, plain({ name: 'kept' }))
    const elsewhere = { ...connector, config: { ...connector.config, base_url: 'https://example.com' } }
    const refused = await put(id, plain({ connector: elsewhere }))
    expect(refused.status).toBe(400)
    expect(refused.body.error.message).toContain('example.com')
  })

  it('needs sync:write to be made, and sync:read to be read', async () => {
    const reader = (await tokenFor(service, 'sync:read')).access_token
    const refused = await call(service, '/jobs', { method: 'POST', body: plain(), as: reader })
    expect(refused.status).toBe(403)
    expect((await call(service, '/jobs', { as: reader })).status).toBe(200)
  })
})

describe('what is wrong with a job is named', () => {
  const config = () => sourceConfig(source.url) as { [name: string]: object }
  const cases: [what: string, more: () => object, field: string][] = [
    ['no such connector', () => ({ connector: { type: 'soap', config: {} } }), 'connector.type'],
    ['a file', () => ({ connector: { type: 'file', config: {} } }), 'connector.type'],
    [
      'no endpoints',
      () => ({ connector: { type: 'rest_api', config: { base_url: source.url } } }),
      'connector.config.endpoints',
    ],
    [
      'no such pagination',
      () => ({
        connector: {
          type: 'rest_api',
          config: { ...config(), endpoints: [{ path: '/', pagination: { type: 'luck' } }] },
        },
      }),
      'connector.config.endpoints.0.pagination.type',
    ],
    [
      'no such auth',
      () => ({ connector: { type: 'rest_api', config: { ...config(), auth: { type: 'handshake' } } } }),
      'connector.config.auth.type',
    ],
    [
      'an unknown field',
      () => ({ connector: { type: 'rest_api', config: { ...config(), bse_url: '' } } }),
      'connector.config.bse_url',
    ],
    ['a wrong cron', () => ({ schedule: { type: 'cron', expression: '61 * * * *' } }), 'schedule.expression'],
    [
      'a cron that never fires',
      () => ({ schedule: { type: 'cron', expression: '0 0 30 2 *' } }),
      'schedule.expression',
    ],
    ['a cron with seconds', () => ({ schedule: { type: 'cron', expression: '0 0 0 1 1 *' } }), 'schedule.expression'],
    [
      'a wrong zone',
      () => ({ schedule: { type: 'cron', expression: '0 0 * * *', timezone: 'Europe/Atlantis' } }),
      'schedule.timezone',
    ],
    ['no such schedule', () => ({ schedule: { type: 'sometimes' } }), 'schedule.type'],
    [
      'no such transformation',
      () => ({ transformations: [{ type: 'enchant', config: {} }] }),
      'transformations.0.type',
    ],
    ['no such destination', () => ({ destination: { type: 'tape', table: 't' } }), 'destination.type'],
    ['no such mode', () => ({ destination: { type: 'database', table: 't', mode: 'sideways' } }), 'destination.mode'],
    [
      'upsert without keys',
      () => ({ destination: { type: 'database', table: 't', mode: 'upsert' } }),
      'destination.key_columns',
    ],
    ['no table', () => ({ destination: { type: 'database' } }), 'destination.table'],
    ['an unknown part', () => ({ shedule: {} }), 'shedule'],
    [
      'a stored secret that is not there',
      () => ({ connector: { type: 'rest_api', config: { ...config(), auth: { type: 'bearer', token: '***' } } } }),
      'connector.config.auth.token',
    ],
  ]
  it.each(cases)('%s', async (_what, more, field) => {
    const refused = await postJob(service, { ...plain(), ...more() })
    expect(refused.status).toBe(400)
    expect(refused.body.error.code).toBe('VALIDATION_ERROR')
    expect(refused.body.error.details.map(detail => detail.field)).toContain(field)
    const validated = await call<Problem>(service, '/jobs/validate', { body: { ...plain(), ...more() } })
    expect(validated.status).toBe(400)
    expect(validated.body.error.details).toEqual(refused.body.error.details)
  })

  it('a reference into the secret store that somebody wrote', async () => {
    const headers = { 'X-Mine': { $secret: 'sec_0' } }
    const refused = await postJob(service, plain({ connector: { type: 'rest_api', config: { ...config(), headers } } }))
    expect(refused.status).toBe(400)
  })

  it.each(['http://169.254.169.254', 'http://[::1]:80', 'http://10.0.0.1', 'http://2130706434.example.invalid'])(
    'an address that may not be reached: %s',
    async base_url => {
      const connector = { type: 'rest_api', config: { ...config(), base_url } }
      for (const route of ['/jobs/validate', '/jobs/preview']) {
        const refused = await call<Problem>(service, route, { body: plain({ connector }) })
        expect(refused.status).toBe(400)
        expect(refused.body.error.details[0]!.field).toBe('connector.config')
      }
      if (base_url.includes('invalid')) return
      const job = await runJob(service, plain({ connector }))
      expect(job.status).toBe('failed')
      const { body } = await call<{ error: { message: string } }>(service, `/jobs/${job.id}`)
      expect(body.error.message).toContain(new URL(base_url).hostname.replace(/[[\]]/g, ''))
    },
  )
})

describe('preview and validate change nothing', () => {
  it('show rows before and after, exact', async () => {
    const count = async () => (await call<{ total: number }>(service, '/jobs')).body.total
    const before = await count()
    const asked = { ...example(), destination: { type: 'database', table: 'never made', mode: 'append' } }
    expect((await call(service, '/jobs/validate', { body: asked })).body).toEqual({ valid: true })
    const shown = await call(service, '/jobs/preview', { body: asked })
    expect(shown.status).toBe(200)
    expect(shown.text).toContain(
      '{"before":{"id":1,"name":"row 1","big":112345678901234567890},"after":{"customer_id":1,"customer_name":"row 1","big":112345678901234567890}}',
    )
    expect(await count()).toBe(before)
    const { body } = await call<{ items: { name: string }[] }>(service, '/datasets')
    expect(body.items.map(({ name }) => name)).not.toContain('never made')
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
    expect(text).toContain('"big":712345678901234567890')
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
      { type: 'filter', config: { expression: 'id < 200' } },
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
