import { afterAll, beforeAll, expect, it } from 'vitest'
import { call, pushBatch, pushLines, readRecords } from '../kit/api.ts'
import { until } from '../kit/processes.ts'
import { head, openRaw, openStream, receiptsOf } from '../kit/raw.ts'
import { removeData, type Service, startService } from '../kit/service.ts'

/** Longer than uWebSockets.js lets a body be silent by itself. */
const SILENT_MS = 12_500

let service: Service
beforeAll(async () => {
  // However far the read model is behind a fast stream, the service is well.
  service = await startService({ READY_MAX_LAG: '10000000' })
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

const line = (n: number) => `{"id":"r${n}","data":{"n":${n}}}\n`

it('keeps what it has acknowledged to a client that vanishes in the middle of a line', async () => {
  for (const end of ['reset', 'end'] as const) {
    const dataset = `vanished-${end}`
    const client = await openStream(service, `dataset=${dataset}`, true)
    client.chunk(`${line(0)}${line(1)}${line(2)}{"id":"half","data":{"n":`)
    await client.untilReceived(/"through":3,/)
    const { position } = receiptsOf(client).at(-1)!
    client[end]()
    await client.closed
    // What comes later on the same log shows that nothing of the half line is still on its way.
    const marker = await pushBatch(service, dataset, [{ id: 'z-after', data: {} }])
    expect((await readRecords(service, dataset, position)).map(({ id }) => id)).toEqual(
      expect.arrayContaining(['r0', 'r1', 'r2']),
    )
    const all = (await readRecords(service, dataset, marker.body.position)).map(({ id }) => id)
    expect(all).toEqual(['r0', 'r1', 'r2', 'z-after'])
  }
})

it('does not take a line for whole whose body was cut off before its declared end', async () => {
  const whole = `${line(0)}{"id":"last","data":{}}`
  const client = await openRaw(service)
  const headers = { 'Content-Type': 'application/x-ndjson', Accept: 'application/x-ndjson', 'Content-Length': 1000 }
  client.write(head(service, 'POST /push/stream?dataset=cut', headers))
  client.write(whole)
  await client.untilReceived(/"through":1,/)
  client.end()
  await client.closed
  const marker = await pushBatch(service, 'cut', [{ id: 'z-after', data: {} }])
  expect((await readRecords(service, 'cut', marker.body.position)).map(({ id }) => id)).toEqual(['r0', 'z-after'])
})

it('takes nothing of a batch whose client vanishes', async () => {
  const client = await openRaw(service)
  const body = '{"source":"t","dataset":"half-batch","records":[{"id":"a","data":{}}]}'
  client.write(head(service, 'POST /push/batch', { 'Content-Type': 'application/json', 'Content-Length': body.length }))
  client.write(body.slice(0, -1))
  await client.flushed()
  client.reset()
  await client.closed
  await pushBatch(service, 'other', [{ id: 'a', data: {} }], { ack: 'projected' })
  expect((await call(service, '/datasets/half-batch')).status).toBe(404)
})

it('goes on serving after clients that send no HTTP', async () => {
  for (const bytes of ['hello\r\n\r\n', 'GET / HTTP/9.9\r\n\r\n', `GET /${'x'.repeat(100_000)}`, '\0\xff\0\r\n\r\n']) {
    const client = await openRaw(service)
    client.write(Buffer.from(bytes, 'latin1'))
    client.end()
    await client.closed
  }
  expect((await call(service, '/health')).status).toBe(200)
})

it('does not cut a stream that is silent for more than 12 s', async () => {
  const client = await openStream(service, 'dataset=silent', true)
  client.chunk(line(0))
  await client.untilReceived(/"through":1,/)
  await new Promise(resolve => setTimeout(resolve, SILENT_MS))
  client.chunk(line(1))
  await client.untilReceived(/"through":2,/)
  client.chunk('')
  await client.untilReceived(/"accepted":2,"rejected":0,"errors":\[\]/)
  client.end()
})

it('answers a probe while one fast client streams more than 100 MB', async () => {
  const part = Buffer.from(
    Array.from({ length: 10_000 }, (_, n) => `{"id":"k${n % 500}","data":{"t":"${'x'.repeat(80)}"}}\n`).join(''),
  )
  const parts = Math.ceil(120_000_000 / part.length)
  const client = await openRaw(service)
  const headers = { 'Content-Type': 'application/x-ndjson', 'Content-Length': part.length * parts }
  client.write(head(service, 'POST /push/stream?dataset=fast', headers))
  for (let n = 0; n < parts; n++) client.write(part)
  const answered: string[] = []
  const streamed = client.untilReceived(/"accepted":\d+/, 60_000).then(match => {
    answered.push('stream')
    return match[0]
  })
  // The first of its rows are in the read model: it is under way.
  await until('the stream to be under way', async () => (await call(service, '/datasets/fast')).status === 200)
  const probe = await call<{ status: string }>(service, '/health', { as: null })
  answered.push('probe')
  const other = await pushLines(service, 'dataset=beside', line(0))
  answered.push('push')
  expect([probe.status, probe.body.status, other.status]).toEqual([200, 'healthy', 200])
  expect(await streamed).toBe(`"accepted":${10_000 * parts}`)
  expect(answered).toEqual(['probe', 'push', 'stream'])
  client.end()
})
