import { afterAll, beforeAll, expect, it } from 'vitest'
import { call, type Problem, pushLines, readRecords } from '../kit/api.ts'
import { jobEnd, pushFile } from '../kit/forms.ts'
import { removeData, type Service, startService } from '../kit/service.ts'
import { deliver, makeWebhook } from '../kit/webhooks.ts'

const SCHEMA = { type: 'object', properties: { id: { type: 'string' }, n: { type: 'integer' } }, required: ['n'] }

let service: Service
beforeAll(async () => {
  service = await startService({ MAX_RUN_ROWS: '500' })
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

async function freeze(dataset: string): Promise<void> {
  const body = { schema: SCHEMA, schema_contract: 'freeze' }
  expect((await call(service, `/datasets/${dataset}`, { method: 'PUT', body })).status).toBe(200)
}

interface Rejected {
  record_id: string
  code: string
  field: string
  value: string | null
  original: string
}

/** The only refused row of a data set. */
async function rejectedOf(dataset: string): Promise<Rejected> {
  const path = `/rejected?dataset=${dataset}&min_position=${await lastPosition()}`
  const { items } = (await call<{ items: Rejected[] }>(service, path)).body
  expect(items).toHaveLength(1)
  return items[0]!
}

/** A position after all that has been answered. */
async function lastPosition(): Promise<string> {
  const { body } = await pushLines(service, 'dataset=last&source=last', '{"id":"1","data":{}}\n')
  return body.position
}

const count = async (dataset: string) => (await readRecords(service, dataset, await lastPosition())).length
const line = (id: string, n: number | string) => `${JSON.stringify({ id, data: { n } })}\n`
const lines = (count: number) => Array.from({ length: count }, (_, n) => line(`r${n}`, n)).join('')

it('a batch with a row that does not fit leaves nothing behind but that row, among the refused ones', async () => {
  await freeze('batch')
  const records = [1, 'x', 2].map((n, i) => ({ id: `r${i}`, data: { n } }))
  const { status, body } = await call<Problem>(service, '/push/batch?dataset=batch', {
    method: 'POST',
    body: { records },
  })
  expect([status, body.error.message]).toEqual([400, expect.stringContaining('so nothing of this push is taken')])
  expect(await count('batch')).toBe(0)
  expect(await rejectedOf('batch')).toMatchObject({
    ...{ record_id: 'r1', code: 'SCHEMA_VIOLATION', field: '/n', value: '"x"' },
    original: '{"id":"r1","data":{"n":"x"}}',
  })
})

it('a stream ends at it, and tells how many rows are in', async () => {
  await freeze('stream')
  const body = lines(30_000) + line('bad', 'x') + lines(10)
  const answer = await pushLines(service, 'dataset=stream&source=s', body)
  expect(answer.status).toBe(400)
  const { accepted, error } = answer.body as unknown as Problem & { accepted: number }
  const stored = await count('stream')
  expect(accepted).toBe(stored)
  expect(error.message).toContain(
    stored === 0 ? 'so nothing of this push' : `no more of this push is taken than ${stored} rows`,
  )
  expect(await rejectedOf('stream')).toMatchObject({ record_id: 'bad', value: '"x"' })
})

it('a file ends at it, and tells how many rows are in', async () => {
  await freeze('file')
  const rows = Array.from({ length: 3000 }, (_, n) => `r${n},${n}`)
  const options = { dataset: 'file', id_column: 'id' }
  const { body } = await pushFile(service, `id,n\n${rows.join('\n')}\nbad,x\nr,1\n`, { format: 'csv', options })
  const { status, error } = await jobEnd(service, body.job_id)
  const stored = await count('file')
  expect(stored).toBeGreaterThan(0)
  expect([status, error?.message]).toEqual([
    'failed',
    expect.stringContaining(`no more of this push is taken than ${stored} rows`),
  ])
  expect(await rejectedOf('file')).toMatchObject({ record_id: 'bad', value: '"x"', original: 'bad,x' })
})

it('a delivery that does not fit is kept, and says where', async () => {
  await freeze('hook')
  const { id } = await makeWebhook(service, { dataset: 'hook', signature: { scheme: 'none' } })
  const { status, body } = await deliver(service, id, '{"n":"x"}', { 'webhook-id': 'm1' }, service.token)
  expect([status, body]).toEqual([400, expect.objectContaining({ position: expect.any(String) })])
  expect(await rejectedOf('hook')).toMatchObject({ field: '/n', value: '"x"', original: '{"n":"x"}' })
  expect(await count('hook')).toBe(0)
})
