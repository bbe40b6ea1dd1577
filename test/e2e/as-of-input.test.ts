/** What as_of may not be, and where: each a clear answer. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Answer, call, type Problem, pushBatch } from '../kit/api.ts'
import { conflictsAt, pushOne, setPolicy } from '../kit/conflicts.ts'
import { makeJob } from '../kit/pulls.ts'
import { removeData, type Service, startService } from '../kit/service.ts'

let service: Service
/** Of the last event before the tests, and of the first. */
let [last, first]: string[] = []
/** Every route with a past. */
let routes: string[]
beforeAll(async () => {
  service = await startService()
  const push = await pushBatch(service, 'd', [{ id: 'r', data: { n: 1 } }])
  first = push.body.position
  await setPolicy(service, 'd', 'manual')
  await pushOne(service, 'd', { id: 'r', data: { n: 2 } })
  const stale = await pushOne(service, 'd', { id: 'r', data: { n: 3 }, metadata: { version: 1 } })
  const [conflict] = await conflictsAt(service, 'd', stale)
  const config = { base_url: 'http://127.0.0.1:9', endpoints: [{ path: '/rows' }] }
  const job = await makeJob(service, { name: 'j', connector: { type: 'rest_api', config } })
  last = job.position
  const jobs = ['/jobs', `/jobs/${job.id}`, `/jobs/${job.id}/runs`, `/jobs/${job.id}/logs`]
  const data = ['/datasets', '/datasets/d', '/datasets/d/records', '/datasets/d/records/r']
  routes = [...data, ...jobs, '/conflicts', `/conflicts/${conflict!.id}`]
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

const read = (path: string, asOf: string) => call<Problem>(service, `${path}?as_of=${asOf}`)

function problemOf({ status, body }: Answer<Problem>) {
  return [status, body.error?.code, body.error?.details.map(({ field }) => field)]
}

/** This position, so many events further on. */
function beyond(events: number): string {
  const [, head, offset] = /^(.*\.)([0-9a-z]+)$/.exec(last!)!
  return head! + (Number.parseInt(offset!, 36) + events).toString(36)
}

describe('as_of', () => {
  it.each([
    ['nothing', () => ''],
    ['no position and no time', () => 'yesterday'],
    ['a date that is none', () => '2026-02-31T00:00:00Z'],
    ['a time without a zone', () => '2026-01-31T12:00:00'],
    ['a number', () => '1750000000000'],
    ['half a position', () => last!.slice(0, -2)],
    ['a position of another log', () => last!.replace(/^[^~]*/, 'deadbeef')],
    ['a position that names a stream which is not there', () => `${last!.split('~')[0]}~sync.nonsense-0.5`],
    ['a position beyond the end of the log', () => beyond(1_000_000)],
    ['a time in the future', () => '2999-01-01T00:00:00Z'],
    ['something very long', () => 'x~'.repeat(500)],
  ])('that is %s is refused, wherever it may be', async (_, asOf) => {
    for (const path of routes) {
      const answer = await read(path, encodeURIComponent(asOf()))
      expect([path, ...problemOf(answer)]).toEqual([path, 400, 'VALIDATION_ERROR', ['as_of']])
    }
  })

  it('says what is wrong with it', async () => {
    const message = async (asOf: string) => (await read('/datasets', asOf)).body.error.message
    expect(await message('yesterday')).toContain('expected a position that this API gave out, or a time such as 2026')
    expect(await message(beyond(9))).toContain(`${beyond(9)} is beyond the end of the log`)
    expect(await message('2999-01-01T00:00:00Z')).toContain('2999-01-01T00:00:00Z is in the future')
    expect(await message(last!.replace(/^[^~]*/, 'deadbeef'))).toContain('belongs to log deadbeef')
  })

  it.each(['1970-01-01T00:00:00Z', '2001-01-31', '2001-01-31T00:00:00%2B02:00', 'the beginning'])(
    'of %s, before the first event, finds nothing',
    async text => {
      const asOf = text === 'the beginning' ? `${last!.split('~')[0]}~` : text
      for (const path of ['/datasets', '/jobs', '/conflicts']) {
        const { status, body } = await call<Record<string, unknown>>(service, `${path}?as_of=${asOf}`)
        expect([path, status, body.datasets ?? body.items]).toEqual([path, 200, []])
      }
      for (const path of routes.filter(each => each.split('/').length > 2)) {
        const { status, body } = await read(path, asOf)
        expect([path, status, body.error?.code]).toEqual([path, 404, 'NOT_FOUND'])
        expect(body.error.message).toContain('as of that moment')
      }
    },
  )

  it('of the first push finds the record and not what came later', async () => {
    const { body } = await call<{ data: object }>(service, `/datasets/d/records/r?as_of=${first}`)
    expect(body).toMatchObject({ data: { n: 1 }, version: 1 })
    expect((await call(service, `/conflicts?as_of=${first}`)).body).toEqual({ items: [], next_cursor: null })
    expect((await call(service, `/jobs?as_of=${first}`)).body).toMatchObject({ items: [], total: 0 })
  })

  it('counts with min_position: both hold', async () => {
    const path = (min: string) => `/datasets/d/records/r?as_of=${first}&min_position=${min}`
    expect((await call(service, path(last!))).body).toMatchObject({ version: 1 })
    expect(problemOf(await call(service, path('garbage')))).toEqual([400, 'VALIDATION_ERROR', ['min_position']])
    expect((await call(service, path(beyond(1_000_000)))).body).toMatchObject({ error: { code: 'NOT_YET_PROJECTED' } })
  })

  it('has no place where there is no past', async () => {
    const paths = ['/datasets/d/schema', '/datasets/d/records/r/history', '/rejected', '/events', '/files/file_1']
    for (const path of paths) {
      const answer = await read(path, first!)
      expect([path, ...problemOf(answer)]).toEqual([path, 400, 'VALIDATION_ERROR', ['as_of']])
    }
  })
})
