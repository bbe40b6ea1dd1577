/** Jobs whose source or destination does not do what it should, and the others beside them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call } from '../kit/api.ts'
import { jobEnd, jobUntil } from '../kit/forms.ts'
import { freePort, until } from '../kit/processes.ts'
import { logsOf, makeJob, type PullAnswer, plainJob, runJob, startJob } from '../kit/pulls.ts'
import { answer, type Source, sourceConfig, startSource } from '../kit/rows-source.ts'
import { removeData, type Service, startService } from '../kit/service.ts'
import { listen } from '../kit/sockets.ts'

const ROWS = 30
const rows = Array.from({ length: ROWS }, (_, n) => `{"id":${n}}`)

let service: Service
let source: Source
/** What the source answers under /strange instead of rows, while it is given. */
let strange: Parameters<typeof startSource>[0]['instead']
beforeAll(async () => {
  service = await startService({ ALLOW_PRIVATE_ADDRESSES: '1', MAX_RUN_RETRIES: '5' })
  source = await startSource({
    rows: () => rows,
    instead: (request, response, n) => {
      const isStrange = request.url!.startsWith('/strange') && strange !== undefined
      return isStrange && strange!(request, response, n)
    },
  })
})
afterAll(async () => {
  await source?.stop()
  await service?.stop()
  removeData(service)
})

const command = (id: string, verb: string) =>
  call<PullAnswer>(service, `/jobs/${id}/${verb}`, { method: 'POST', body: {} })

/** A job that pulls where the source may be strange. */
function strangeJob(more: object = {}): object {
  const connector = { type: 'rest_api', config: sourceConfig(source.url, 10, { path: '/strange' }) }
  return plainJob(source, { connector, ...more })
}

describe('a source', () => {
  it('that answers 500 for a while is waited for, and everything comes', async () => {
    let left = 8
    strange = (_request, response) => left-- > 0 && answer(response, 500, '{"error":"out of order"}')
    const { id } = await makeJob(service, strangeJob())
    await startJob(service, id)
    const waiting = (await jobUntil(service, id, ({ status }) => status === 'waiting')) as PullAnswer
    expect(Date.parse(waiting.waiting_until!)).toBeGreaterThan(Date.parse(waiting.started_at!))
    expect(await jobEnd(service, id)).toMatchObject({ status: 'completed', records_processed: ROWS })
    const warnings = (await logsOf(service, id, 'warning')).map(({ message }) => message)
    expect(warnings).toContain('the run waits')
  })

  it('that answers 429 with Retry-After is left alone for that long', async () => {
    const asked: number[] = []
    strange = (_request, response) =>
      asked.push(Date.now()) === 2 && answer(response, 429, '{"error":"slow down"}', { 'retry-after': '2' })
    const { id } = await makeJob(service, strangeJob())
    await startJob(service, id)
    await jobUntil(service, id, ({ status }) => status === 'waiting')
    expect(await jobEnd(service, id)).toMatchObject({ status: 'completed', records_processed: ROWS })
    expect(asked[2]! - asked[1]!).toBeGreaterThanOrEqual(1900)
  })

  it.each([
    ['HTML', 200, '<!doctype html><h1>Log in</h1>', { 'content-type': 'text/html' }],
    ['that it forbids', 403, '{"error":"not you"}', {}],
  ])('that answers %s fails the run, with a clear log line', async (_what, status, body, headers) => {
    strange = (_request, response) => answer(response, status, body, headers)
    const job = await runJob(service, strangeJob())
    expect(job.status).toBe('failed')
    const [last] = (await logsOf(service, job.id, 'error')).slice(-1)
    expect(last).toMatchObject({ level: 'error', message: 'the run has failed' })
    expect(String(last!.metadata.message)).toContain('GET /strange')
  })

  it('that never is well again fails the run in the end, and what came before stays', async () => {
    let pages = 0
    strange = (_request, response) => ++pages > 1 && answer(response, 503, '{}', { 'retry-after': '0' })
    const job = await runJob(service, strangeJob())
    expect(job).toMatchObject({ status: 'failed', records_processed: 10 })
    const { body } = await call<{ error: { code: string; message: string } }>(service, `/jobs/${job.id}`)
    expect(body.error.code).toBe('UNAVAILABLE')
    expect(body.error.message).toContain('503')
  })
})

describe('what is odd about rows is told', () => {
  const warnings = async (body: object) => {
    const job = await runJob(service, body)
    expect(job.status).toBe('completed')
    return (await logsOf(service, job.id, 'warning')).map(({ message, metadata }) => [message, metadata.count])
  }

  it('pages whose order changes meanwhile', async () => {
    let shift = 0
    strange = (request, response) => {
      const offset = Number(new URL(request.url!, 'http://source').searchParams.get('offset'))
      const order = rows.map((_, n) => rows[(n + shift) % ROWS])
      shift += 5
      return answer(response, 200, `{"total":${ROWS},"data":[${order.slice(offset, offset + 10).join(',')}]}`)
    }
    const told = await warnings(strangeJob())
    strange = undefined
    expect(told).toEqual([['the source gave rows more than once', expect.any(Number)]])
  })

  it('rows that a transformation refuses, and keys that are not unique', async () => {
    const transformations = [{ type: 'field_mapping', config: { mappings: { nothing: 'something' } } }]
    expect(await warnings(plainJob(source, { transformations }))).toEqual([
      ['rows were refused; /rejected has them', ROWS],
    ])
    const same = [{ type: 'compute', config: { field: 'id', expression: 'id % 10' } }]
    expect(await warnings(plainJob(source, { transformations: same }))).toEqual([
      ['rows share their key columns, and of those the last one counts', ROWS - 10],
    ])
  })
})

describe('others beside it', () => {
  it('go on while many sources do not answer and a destination is not there', async () => {
    strange = () => new Promise<boolean>(() => undefined)
    const url = `postgres://sync:secret@127.0.0.1:${await freePort()}/nowhere`
    const destination = { type: 'database', url, table: 't', mode: 'append' }
    const stuck = await Promise.all([
      // More than there are slots.
      ...Array.from({ length: 20 }, () => makeJob(service, strangeJob())),
      ...Array.from({ length: 10 }, () => makeJob(service, plainJob(source, { destination }))),
    ])
    await Promise.all(stuck.map(({ id }) => startJob(service, id)))
    await Promise.all(stuck.slice(20).map(({ id }) => jobUntil(service, id, ({ status }) => status === 'waiting')))
    const quick = await runJob(service, plainJob(source), 10_000)
    expect(quick).toMatchObject({ status: 'completed', records_processed: ROWS })
    for (const { id } of stuck) expect((await command(id, 'cancel')).status).toBe(202)
    for (const { id } of stuck) expect((await jobEnd(service, id)).status).toBe('cancelled')
  })
})

describe('a scheduled job', () => {
  it('runs by itself, again and again, and says when next', async () => {
    const { id, next_runs } = await makeJob(service, plainJob(source, { schedule: { type: 'interval', seconds: 1 } }))
    expect(next_runs).toHaveLength(5)
    const runs = () => call<{ items: { trigger: string; status: string }[] }>(service, `/jobs/${id}/runs`)
    await jobUntil(service, id, () => true)
    const { body } = await untilRuns(runs, 3)
    for (const run of body.items.slice(0, 3)) expect(run.trigger).toBe('schedule')
    expect((await call(service, `/jobs/${id}?force=true`, { method: 'DELETE' })).status).toBe(204)
  })

  async function untilRuns<Runs extends { body: { items: { status: string }[] } }>(
    runs: () => Promise<Runs>,
    count: number,
  ): Promise<Runs> {
    for (;;) {
      const found = await runs()
      if (found.body.items.filter(({ status }) => status === 'completed').length >= count) return found
    }
  }
})

it('a pull is told live: its states and how far it is', async () => {
  strange = undefined
  const { id } = await makeJob(service, strangeJob())
  const socket = await listen(service)
  await socket.subscribe({ filters: { job_id: id } })
  await startJob(service, id)
  await jobEnd(service, id)
  const of = (type: string) => socket.messages.filter(each => each.type === type && each.payload.job_id === id)
  await until('the end to be told', () => of('job_status').some(({ payload }) => payload.status === 'completed'))
  const states = of('job_status').map(({ payload }) => payload.status)
  expect(states.at(-1)).toBe('completed')
  expect(states).toContain('running')
  const progress = of('sync_progress').at(-1)!.payload
  expect(progress).toMatchObject({ job_id: id, progress: 100, records_processed: ROWS, records_total: ROWS })
  socket.close()
})
