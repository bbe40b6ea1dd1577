import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, type Problem, tokenFor } from '../kit/api.ts'
import { jobEnd } from '../kit/forms.ts'
import {
  exampleJob,
  makeJob,
  type PullAnswer,
  plainJob,
  postJob,
  runJob,
  SOURCE_TOKEN,
  startJob,
} from '../kit/pulls.ts'
import { answer, type Source, sourceConfig, startSource } from '../kit/rows-source.ts'
import { removeData, type Service, startService } from '../kit/service.ts'

const ROWS = 50
const FOLDER = '/tmp/jobs-may-write-here'
const rows = Array.from({ length: ROWS }, (_, n) => `{"id":${n},"name":"row ${n}"}`)

let service: Service
let source: Source
beforeAll(async () => {
  service = await startService({ ALLOW_PRIVATE_ADDRESSES: '127.0.0.0/8', SQLITE_FOLDERS: FOLDER })
  source = await startSource({
    rows: () => rows,
    instead({ headers: { authorization } }, response) {
      const wrong = authorization !== undefined && authorization !== `Bearer ${SOURCE_TOKEN}`
      return wrong && answer(response, 401, '{"error":"who are you?"}')
    },
  })
})
afterAll(async () => {
  await source?.stop()
  await service?.stop()
  removeData(service)
})

const get = (id: string) => call<PullAnswer>(service, `/jobs/${id}`)
const put = (id: string, body: object) => call<PullAnswer>(service, `/jobs/${id}`, { method: 'PUT', body })
const example = (more: object = {}) => exampleJob(source, more)
/** A job whose rows stay as they are. */
const plain = (more: object = {}) => plainJob(source, more)

describe('a job', () => {
  it('is made as the contract has it, shown without its secrets, changed and deleted', async () => {
    const made = await postJob(service, example())
    expect(made.status).toBe(201)
    expect(made.body).toMatchObject({ name: 'Customer Data Sync', status: 'pending', progress: 0 })
    expect(made.body.id).toMatch(/^job_/)
    expect(Date.parse(made.body.created_at)).toBeGreaterThan(0)
    const { body: shown, text } = await get(made.body.id)
    expect(text).not.toContain(SOURCE_TOKEN)
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

  it('that two change at once is as one of them says, and the other is told', async () => {
    const { id } = await makeJob(service, plain({ name: 'both' }))
    const names = ['this', 'that', 'another', 'one more']
    const answers = await Promise.all(names.map(name => put(id, plain({ name }))))
    const taken = answers.filter(({ status }) => status === 200)
    expect(taken.length).toBeGreaterThan(0)
    for (const { status } of answers) expect([200, 409]).toContain(status)
    expect(taken.map(({ body }) => body.name)).toContain((await get(id)).body.name)
    await startJob(service, id)
    expect((await jobEnd(service, id)).status).toBe('completed')
  })

  it('does not send a stored token to another server', async () => {
    const { id, connector } = await makeJob(service, plain({ name: 'kept' }))
    const other = ['https://example.com', source.url.replace('http:', 'https:')]
    for (const base_url of other) {
      const elsewhere = { ...connector, config: { ...connector.config, base_url } }
      const refused = await put(id, plain({ connector: elsewhere }))
      expect(refused.status).toBe(400)
      expect(refused.body.error.message).toContain(base_url)
    }
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
    [
      'replace of what an incremental source brings',
      () => ({
        connector: { type: 'rest_api', config: sourceConfig(source.url, 10, { cursor_field: 'id' }) },
        destination: { type: 'database', url: 'sqlite:///tmp/t.db', table: 't', mode: 'replace' },
      }),
      'destination.mode',
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

  it.each(['sqlite:///etc/cron.d/job', `sqlite://${FOLDER}/../out.db`, `sqlite://${FOLDER}x/out.db`])(
    'a file where none may be: %s',
    async url => {
      const destination = { type: 'database', url, table: 't', mode: 'append' }
      const refused = await call<Problem>(service, '/jobs/validate', { body: plain({ destination }) })
      expect(refused.status).toBe(400)
      expect(refused.body.error.details[0]!.field).toBe('destination.url')
      const job = await runJob(service, plain({ destination }))
      expect(job.status).toBe('failed')
    },
  )

  it('a reference into the secret store that somebody wrote', async () => {
    const headers = { 'X-Mine': { $secret: 'sec_0' } }
    const refused = await postJob(service, plain({ connector: { type: 'rest_api', config: { ...config(), headers } } }))
    expect(refused.status).toBe(400)
  })

  it.each(['http://169.254.169.254', 'http://[::1]:80', 'http://10.0.0.1'])(
    'an address that may not be reached: %s',
    async base_url => {
      const connector = { type: 'rest_api', config: { ...config(), base_url } }
      for (const route of ['/jobs/validate', '/jobs/preview']) {
        const refused = await call<Problem>(service, route, { body: plain({ connector }) })
        expect(refused.status).toBe(400)
        expect(refused.body.error.details[0]!.field).toBe('connector.config.base_url')
      }
      const job = await runJob(service, plain({ connector }))
      expect(job.status).toBe('failed')
      const { body } = await call<{ error: { message: string } }>(service, `/jobs/${job.id}`)
      expect(body.error.message).toContain(new URL(base_url).hostname.replace(/[[\]]/g, ''))
    },
  )
})
