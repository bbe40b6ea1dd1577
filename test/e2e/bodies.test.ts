import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { call, type PushAnswer, pushBatch } from '../kit/api.ts'
import { until } from '../kit/processes.ts'
import { head, openRaw, type RawClient } from '../kit/raw.ts'
import { removeData, type Service, startService } from '../kit/service.ts'

const LIMIT = 200_000
let service: Service
beforeAll(async () => {
  service = await startService({ MAX_BODIES_BYTES: String(LIMIT) })
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

const body = JSON.stringify({
  source: 'tests',
  dataset: 'held',
  records: [{ id: 'a', data: { x: 'x'.repeat(60_000) } }],
})
const small = () => pushBatch(service, 'small', [{ id: 'a', data: {} }])

/** A push that has sent all of its body but the end. */
async function unfinished(): Promise<RawClient> {
  const client = await openRaw(service)
  const headers = { 'Content-Type': 'application/json', 'Content-Length': body.length }
  client.write(head(service, 'POST /push/batch', headers))
  client.write(body.slice(0, -1))
  return client
}

it('bodies of many clients are held up to MAX_BODIES_BYTES, past it 503, and what ends makes room', async () => {
  const clients = await Promise.all(Array.from({ length: 5 }, unfinished))
  const answered = () => clients.filter(client => client.received() !== '')
  await until('two to be refused', () => answered().length === 2)
  for (const client of answered()) {
    expect(client.received()).toMatch(/^HTTP\/1\.1 503 /)
    expect(client.received()).toMatch(/\r\nretry-after: 1\r\n/i)
    expect(client.received()).toContain(`the limit is ${LIMIT}`)
  }
  // What a zipped body becomes counts like any other.
  const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' }
  const zipped = await call(service, '/push/batch', { body: gzipSync(body), headers })
  expect([zipped.status, zipped.body.error.code]).toEqual([503, 'UNAVAILABLE'])

  const [gone, ...rest] = clients.filter(client => client.received() === '')
  gone!.reset()
  const taken = await until('room after one has gone', async () => {
    const answer = await call<PushAnswer>(service, '/push/batch', { body: gzipSync(body), headers })
    return answer.status === 200 && answer
  })
  expect(taken.body.accepted).toBe(1)
  for (const client of rest) {
    client.write(body.slice(-1))
    await client.untilReceived(/^HTTP\/1\.1 200 [\s\S]*"accepted":1/)
  }
  for (const client of clients) client.end()
  for (let n = 0; n < 10; n++) expect((await small()).status).toBe(200)
})
