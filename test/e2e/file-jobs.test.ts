import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, type Problem, readRecords, tokenFor } from '../kit/api.ts'
import { type JobAnswer, jobEnd, jobUntil, pushFile } from '../kit/forms.ts'
import { until } from '../kit/processes.ts'
import { removeData, type Service, startService } from '../kit/service.ts'

/** Small pages, so that an import goes on for a while and stops at many places. */
const PAGE_ROWS = 100
const ROWS = 20_000

let service: Service
beforeAll(async () => {
  service = await startService({ MAX_RUN_ROWS: String(PAGE_ROWS) })
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

const csv = (rows: number) => `id,n\n${Array.from({ length: rows }, (_, n) => `${n},value ${n}\n`).join('')}`

/** Begins an import into a data set of its own. */
async function begin(dataset: string, rows = ROWS): Promise<string> {
  const { status, text, body } = await pushFile(service, csv(rows), { options: { dataset, id_column: 'id' } })
  if (status !== 202) throw new Error(text)
  return body.job_id
}

const command = (id: string, verb: string) =>
  call<JobAnswer>(service, `/jobs/${id}/${verb}`, { method: 'POST', body: {} })
const remove = (id: string, query = '') => call(service, `/jobs/${id}${query}`, { method: 'DELETE' })
const running = (id: string) =>
  jobUntil(service, id, ({ status, records_processed }) => status === 'running' && records_processed > 0)
const runsOf = async (id: string) =>
  (await call<{ items: (JobAnswer & { trigger: string })[] }>(service, `/jobs/${id}/runs`)).body.items

/** Every row of the file is there, once. */
async function expectAll(dataset: string, job: JobAnswer, rows = ROWS): Promise<void> {
  expect(job).toMatchObject({ status: 'completed', records_processed: rows, records_rejected: 0, progress: 100 })
  const records = await readRecords(service, dataset, job.position)
  expect(records).toHaveLength(rows)
  const wrong = records.filter(({ id, data, version }) => version !== 1 || data.n !== `value ${id}`)
  expect(wrong).toEqual([])
}

function expectConflict({ status, body }: { status: number; body: Problem }, state: string, verb: string): void {
  expect([status, body.error?.code]).toEqual([409, 'CONFLICT'])
  expect(body.error.message).toContain(state)
  expect(body.error.message).toContain(verb)
}

describe('an import under way', () => {
  it('tells how far it is', async () => {
    const id = await begin('progress')
    const seen: JobAnswer[] = []
    const job = await jobUntil(service, id, each => seen.push(each) > 0 && each.status === 'completed')
    const under = seen.filter(({ status, records_processed }) => status === 'running' && records_processed > 0)
    expect(under.length).toBeGreaterThan(0)
    for (const [n, each] of under.entries()) {
      expect(each.records_total).toBe(ROWS)
      expect(each.progress).toBe(Math.round((each.records_processed / ROWS) * 1000) / 10)
      expect(each.records_processed).toBeGreaterThanOrEqual(under[n - 1]?.records_processed ?? 0)
      expect(Date.parse(each.eta!)).toBeGreaterThanOrEqual(Date.parse(each.started_at!))
    }
    expect(job.eta).toBeNull()
    await expectAll('progress', job)
  })

  it('is paused, stays where it is, and goes on from there', async () => {
    const id = await begin('pause')
    const { run_id } = await running(id)
    const paused = await command(id, 'pause')
    expect([paused.status, paused.body.status]).toEqual([202, 'paused'])
    expectConflict(await command(id, 'pause'), 'paused', 'paused')
    expectConflict(await command(id, 'start'), 'paused', 'started')
    expectConflict(await remove(id), 'paused', 'force')
    // The page under way may still come in; after that nothing does.
    let last = -1
    await jobUntil(service, id, ({ records_processed }) => {
      const same = records_processed === last
      last = records_processed
      return same
    })
    expect(last).toBeLessThan(ROWS)
    const resumed = await command(id, 'resume')
    expect(resumed.status).toBe(202)
    const job = await jobEnd(service, id)
    await expectAll('pause', job)
    expect(job.run_id).toBe(run_id)
    expect(await runsOf(id)).toHaveLength(1)
  })

  it('that is paused and resumed again and again ends with every row once', async () => {
    const id = await begin('again and again')
    await running(id)
    for (let n = 0; n < 10; n++) {
      const answers = [await command(id, 'pause'), await command(id, 'resume')]
      expect(answers.map(({ status }) => status)).toEqual([202, 202])
    }
    await expectAll('again and again', await jobEnd(service, id))
  })

  it('is given many commands at once: each is taken or refused, and exactly one pause wins', async () => {
    const id = await begin('at once')
    await running(id)
    const pauses = await Promise.all(Array.from({ length: 8 }, () => command(id, 'pause')))
    expect(pauses.map(({ status }) => status).sort()).toEqual([202, ...Array(7).fill(409)])
    const resumes = await Promise.all(Array.from({ length: 8 }, () => command(id, 'resume')))
    expect(resumes.map(({ status }) => status).sort()).toEqual([202, ...Array(7).fill(409)])
    await expectAll('at once', await jobEnd(service, id))
  })

  it('is cancelled, and begins anew when it is started again', async () => {
    const id = await begin('cancel')
    await running(id)
    const cancelled = await command(id, 'cancel')
    expect([cancelled.status, cancelled.body.status]).toEqual([202, 'cancelled'])
    const job = await jobEnd(service, id)
    expect(job.records_processed).toBeLessThan(ROWS)
    expect((await call<{ status: string }>(service, `/files/${id.replace('job_', 'file_')}`)).body.status).toBe(
      'cancelled',
    )
    for (const [verb, done] of [
      ['pause', 'paused'],
      ['resume', 'resumed'],
      ['cancel', 'cancelled'],
    ] as const)
      expectConflict(await command(id, verb), 'cancelled', done)
    const started = await command(id, 'start')
    expect(started.status).toBe(202)
    expect(started.body.run_id).not.toBe(job.run_id)
    await expectAll('cancel', await jobUntil(service, id, ({ status }) => status === 'completed'))
    expect((await runsOf(id)).map(({ status, trigger }) => [status, trigger])).toEqual([
      ['cancelled', 'upload'],
      ['completed', 'manual'],
    ])
  })

  it('is not deleted unless it is forced, and then nothing more comes in', async () => {
    const id = await begin('delete')
    const { position } = await running(id)
    expectConflict(await remove(id), 'running', 'force')
    expect((await remove(id, '?force=true')).status).toBe(204)
    for (const answer of [
      await call(service, `/jobs/${id}`),
      await call(service, `/files/${id.replace('job_', 'file_')}`),
      await command(id, 'start'),
      await command(id, 'pause'),
      await remove(id),
      await call(service, `/jobs/${id}/logs`),
      await call(service, `/jobs/${id}/runs`),
    ])
      expect([answer.status, answer.body.error.code]).toEqual([404, 'NOT_FOUND'])
    let last = -1
    await until('no more rows to come in', async () => {
      const count = (await readRecords(service, 'delete', position)).length
      const same = count === last
      last = count
      return same
    })
    expect(last).toBeLessThan(ROWS)
    const { body } = await call<{ items: { id: string }[] }>(service, '/jobs?per_page=1000')
    expect(body.items.some(item => item.id === id)).toBe(false)
  })
})

describe('an import that is over', () => {
  let id: string
  beforeAll(async () => {
    id = await begin('over', 10)
    await jobEnd(service, id)
  })

  it('takes no command that needs it under way', async () => {
    for (const [verb, done] of [
      ['pause', 'paused'],
      ['resume', 'resumed'],
      ['cancel', 'cancelled'],
    ] as const)
      expectConflict(await command(id, verb), 'completed', done)
    for (const verb of ['pause', 'resume', 'cancel', 'start', 'runs'])
      expect((await command('job_unknown', verb)).status).toBe(404)
  })

  it('is not started again: its file is gone', async () => {
    const answer = await command(id, 'start')
    expect([answer.status, answer.body.error.code]).toEqual([409, 'CONFLICT'])
    expect(answer.body.error.message).toContain('upload it again')
    expect(await jobEnd(service, id)).toMatchObject({ status: 'completed', records_processed: 10 })
  })

  it('takes commands from who may write only', async () => {
    const { access_token: as } = await tokenFor(service, 'sync:read')
    for (const verb of ['pause', 'start', 'cancel']) {
      const answer = await call(service, `/jobs/${id}/${verb}`, { method: 'POST', body: {}, as })
      expect([answer.status, answer.body.error.code]).toEqual([403, 'FORBIDDEN'])
    }
    expect((await call(service, `/jobs/${id}`, { method: 'DELETE', as })).status).toBe(403)
    expect((await call(service, `/jobs/${id}`, { as })).status).toBe(200)
  })

  it('has told what it did', async () => {
    const logs = async (query: string) => {
      const answer = await call<{ logs: { timestamp: string; level: string; message: string }[] }>(
        service,
        `/jobs/${id}/logs?${query}`,
      )
      expect(answer.status, answer.text).toBe(200)
      return answer.body.logs
    }
    const all = await logs('')
    const messages = all.map(({ message }) => message)
    expect([messages[0], messages.at(-1)]).toEqual(['the run begins', 'the run is complete'])
    expect(all.map(({ timestamp }) => timestamp)).toEqual(all.map(({ timestamp }) => timestamp).toSorted())
    expect(await logs('level=debug')).toEqual(all)
    expect(await logs('level=info&limit=1')).toEqual(all.slice(-1))
    expect(await logs('since=2020-01-01T00:00:00Z&limit=1')).toEqual(all.slice(0, 1))
    expect(await logs('level=warning')).toEqual([])
    const at = Date.parse(all.at(-1)!.timestamp)
    const time = (ms: number) => encodeURIComponent(new Date(at + ms).toISOString())
    expect(await logs(`since=${time(1)}`)).toEqual([])
    expect((await logs(`since=${time(0)}`)).at(-1)).toEqual(all.at(-1))
    expect(await logs(`until=${time(0)}`)).toEqual(all)
    expect(await logs(`until=${time(-3_600_000)}`)).toEqual([])
    expect(await logs('since=2020-01-01T01:00:00%2B02:00')).toEqual(all)
    for (const wrong of ['level=loud', 'since=yesterday', 'until=2020-01-01', 'limit=0', 'limit=1001', 'limit=x']) {
      const answer = await call(service, `/jobs/${id}/logs?${wrong}`)
      expect([answer.status, answer.body.error?.details[0]?.field]).toEqual([400, wrong.split('=')[0]])
    }
  })
})

describe('the list of jobs', () => {
  interface List extends Problem {
    items: JobAnswer[]
    total: number
    page: number
    per_page: number
  }
  const list = (query: string) => call<List>(service, `/jobs?${query}`)

  it('is cut by its filters and into pages', async () => {
    for (let n = 0; n < 5; n++) await jobEnd(service, await begin(`list ${n}`, 1))
    const all = (await list('per_page=1000')).body
    expect(all).toMatchObject({ total: all.items.length, page: 1, per_page: 1000 })
    const statuses = new Set(all.items.map(({ status }) => status))
    expect(statuses).toContain('completed')
    for (const status of ['pending', 'running', 'paused', 'waiting', 'completed', 'failed', 'cancelled']) {
      const { body } = await list(`status=${status}&per_page=1000`)
      expect(body.items).toEqual(all.items.filter(each => each.status === status))
      expect(body.total).toBe(body.items.length)
    }
    expect((await list('connector_type=file&per_page=1000')).body.total).toBe(all.total)
    expect((await list('connector_type=rest_api')).body).toMatchObject({ items: [], total: 0 })
    const pages: JobAnswer[] = []
    for (let page = 1; pages.length < all.total; page++) {
      const { body } = await list(`per_page=2&page=${page}`)
      expect(body).toMatchObject({ total: all.total, page, per_page: 2 })
      expect(body.items.length).toBeGreaterThan(0)
      pages.push(...body.items)
    }
    expect(pages).toEqual(all.items)
    expect((await list(`page=${all.total + 1}`)).body).toMatchObject({ items: [], total: all.total })
    expect((await list('')).body).toMatchObject({ page: 1, per_page: 20 })
  })

  it('refuses what it does not know', async () => {
    for (const wrong of ['status=done', 'page=0', 'page=x', 'per_page=0', 'per_page=1001']) {
      const answer = await list(wrong)
      expect([answer.status, answer.body.error?.details[0]?.field]).toEqual([400, wrong.split('=')[0]])
    }
  })
})
