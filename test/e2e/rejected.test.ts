import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Answer, call, pushLines } from '../kit/api.ts'
import { jobEnd, pushFile } from '../kit/forms.ts'
import { findRejected, pushRefused, type Rejected, type RejectedPage } from '../kit/rejected.ts'
import { removeData, type Service, startService } from '../kit/service.ts'

let service: Service
beforeAll(async () => {
  service = await startService({ MAX_LINE_BYTES: '2048' })
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

const itemsOf = (query: string) => findRejected(service, query)
const refusedOf = (dataset: string, records: object[]) => pushRefused(service, dataset, records)
const list = (query: string) => call<RejectedPage>(service, `/rejected?${query}`)
const replay = (id: string, body: object) => call(service, `/rejected/${id}/replay`, { body })

const configure = (dataset: string, body: object) => call(service, `/datasets/${dataset}`, { method: 'PUT', body })
const AMOUNT = { type: 'object', properties: { n: { type: 'number', minimum: 1 } }, required: ['n'] }

describe('refused rows', () => {
  it('are listed with why, where from and their bytes', async () => {
    const lines = Buffer.concat(
      [
        '{"id":"ok","data":{}}\n{"id":"a"}\n{"id":"b","data":"',
        Buffer.from([0xff]),
        '"}\n\0\n',
        `"${'x'.repeat(3000)}"\n`,
      ].map(part => Buffer.from(part)),
    )
    const before = Date.now()
    const { body } = await pushLines(service, 'dataset=listed&source=till', lines)
    const items = await itemsOf(`request_id=${body.request_id}&min_position=${body.position}`)
    expect(
      items.map(({ line, code, record_id, original_encoding }) => [line, code, record_id, original_encoding]).sort(),
    ).toEqual([
      [2, 'MISSING_FIELD', 'a', 'utf8'],
      [3, 'INVALID_UTF8', null, 'base64'],
      [4, 'INVALID_JSON', null, 'base64'],
      [5, 'TOO_LONG', null, 'utf8'],
    ])
    for (const item of items) {
      expect(item).toMatchObject({ dataset: 'listed', source: 'till', stage: 'parse', status: 'open', job_id: null })
      expect(item.id).toMatch(/^rej_/)
      expect(item.message).toMatch(/\w/)
      expect(Date.parse(item.created_at)).toBeGreaterThanOrEqual(before)
      const one = await call<Rejected>(service, `/rejected/${item.id}`)
      expect([one.status, one.body]).toEqual([200, item])
    }
    const byLine = new Map(items.map(item => [item.line, item]))
    expect(byLine.get(2)).toMatchObject({ original: '{"id":"a"}', original_bytes: 10, field: 'data' })
    const bytes = Buffer.from(byLine.get(3)!.original, 'base64')
    expect(
      bytes.equals(Buffer.concat([Buffer.from('{"id":"b","data":"'), Buffer.from([0xff]), Buffer.from('"}')])),
    ).toBe(true)
    expect(Buffer.from(byLine.get(4)!.original, 'base64').equals(Buffer.from('\0'))).toBe(true)
    expect([byLine.get(5)!.original.length, byLine.get(5)!.original_bytes]).toEqual([2048, 3002])
  })

  it('are found by each filter, and by all of them together', async () => {
    await refusedOf('filter-a', [{ id: 'x' }, { id: 'y' }, {}])
    await configure('filter-b', { schema: AMOUNT, schema_contract: 'discard_row' })
    await refusedOf('filter-b', [{ id: 'x', data: { n: 0 } }, { id: 'z' }])
    const file = await pushFile(service, 'a,b\n1\n', { options: { dataset: 'filter-a', source: 'files' } })
    const job = await jobEnd(service, file.body.job_id)
    const [last] = await itemsOf(`job_id=${job.id}&min_position=${job.position}`)
    await replay(last!.id, { data: { a: 1 } })
    const all = await itemsOf('')
    expect(all.length).toBeGreaterThanOrEqual(6)
    const has = async (query: string, is: (item: Rejected) => boolean) => {
      const wanted = all.filter(is)
      expect(wanted.length, query).toBeGreaterThan(0)
      expect((await itemsOf(query)).map(({ id }) => id)).toEqual(wanted.map(({ id }) => id))
    }
    await has('dataset=filter-a', ({ dataset }) => dataset === 'filter-a')
    await has('source=files', ({ source }) => source === 'files')
    await has('stage=validate', ({ stage }) => stage === 'validate')
    await has('code=RAGGED_ROW', ({ code }) => code === 'RAGGED_ROW')
    await has('record_id=x', ({ record_id }) => record_id === 'x')
    await has(`job_id=${job.id}`, ({ job_id }) => job_id === job.id)
    await has(`request_id=${all.at(-2)!.request_id}`, ({ request_id }) => request_id === all.at(-2)!.request_id)
    await has('status=open', ({ status }) => status === 'open')
    await has('status=replayed', ({ status }) => status === 'replayed')
    await has(
      'dataset=filter-b&stage=validate&record_id=x&status=open&source=tests',
      ({ dataset, stage, record_id }) => dataset === 'filter-b' && stage === 'validate' && record_id === 'x',
    )
    for (const at of [all[0]!, all.at(-1)!, all[2]!].map(({ created_at }) => created_at)) {
      await has(`since=${at}`, ({ created_at }) => created_at >= at)
      await has(`until=${at}`, ({ created_at }) => created_at <= at)
      await has(`since=${at}&until=${at}`, ({ created_at }) => created_at === at)
    }
    expect(await itemsOf('since=2999-01-01T00:00:00Z')).toEqual([])
    expect(await itemsOf('until=2000-01-01T00:00:00Z')).toEqual([])
    expect(await itemsOf('dataset=nowhere')).toEqual([])
  })

  it('come in pages, each one once', async () => {
    await refusedOf(
      'pages',
      Array.from({ length: 25 }, (_, n) => ({ id: `p${n}` })),
    )
    for (const [query, limit] of [
      ['', 7],
      ['dataset=pages', 1],
      ['dataset=pages&status=open', 25],
      ['dataset=pages', 20],
    ] as const) {
      const found: string[] = []
      for (let cursor: string | null = ''; cursor !== null; ) {
        const { body }: Answer<RejectedPage> = await list(`${query}&limit=${limit}${cursor ? `&cursor=${cursor}` : ''}`)
        expect(body.items.length).toBeLessThanOrEqual(limit)
        found.push(...body.items.map(({ id }) => id))
        cursor = body.next_cursor
      }
      expect(found).toEqual((await itemsOf(query)).map(({ id }) => id))
    }
    expect((await list('dataset=pages')).body.items).toHaveLength(20)
  })

  it('are not asked for by what is not known', async () => {
    for (const wrong of [
      'status=closed',
      'since=yesterday',
      'until=1',
      'limit=0',
      'limit=1001',
      'cursor=%21',
      'dataset=',
    ]) {
      const answer = await list(wrong)
      expect([answer.status, answer.body.error?.details[0]?.field]).toEqual([400, wrong.split('=')[0]])
    }
    for (const id of ['rej_unknown', 'x', '%00']) {
      const answer = await call(service, `/rejected/${id}`)
      expect([answer.status, answer.body.error.code]).toEqual([404, 'NOT_FOUND'])
      expect((await replay(id, { data: {} })).status).toBe(404)
    }
  })
})
