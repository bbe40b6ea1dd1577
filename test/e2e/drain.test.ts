import { afterEach, beforeEach, expect, it } from 'vitest'
import { call, pushLines } from '../kit/api.ts'
import { until } from '../kit/processes.ts'
import { chunkedBody, head, openRaw, openStream, type RawClient, receiptsOf } from '../kit/raw.ts'
import { removeData, type Service, startService } from '../kit/service.ts'

const COUNT = 9
/** More than the buffers of a connection take together, so that some of the answer waits in the service. */
const LARGE = 'x'.repeat(1_000_000)

let service: Service
beforeEach(async () => {
  service = await startService({ DRAIN_SECONDS: '60' })
})
afterEach(async () => {
  await service.stop('SIGKILL')
  removeData(service)
})

const line = (n: number) => `{"id":"r${n}","data":{"text":"${LARGE}"}}\n`

/** A client that has asked for a large page and does not read on. */
async function slowReader(target: Service): Promise<RawClient> {
  const pushed = await pushLines(
    target,
    'dataset=large&ack=projected',
    Array.from({ length: COUNT }, (_, n) => line(n)).join(''),
  )
  expect(pushed.status).toBe(200)
  const client = await openRaw(target)
  client.write(head(target, 'GET /datasets/large/records'))
  await client.untilReceived(/^HTTP\/1\.1 200/)
  client.stopReading()
  return client
}

it('SIGTERM waits until a slow reader has the whole of its answer', async () => {
  const client = await slowReader(service)
  const answered = /_requests_total\{route="GET \/datasets\/:dataset\/records",status="200"\} 1$/m
  await until('it to be answered', async () => answered.test((await call(service, '/metrics')).text))
  const ended = service.stop()
  client.readSlowly()
  await client.closed
  const [, length, body] = /\r\ncontent-length: (\d+)\r\n\r\n(.*)$/is.exec(client.received())!
  expect(body).toHaveLength(Number(length))
  expect(JSON.parse(body!).items).toHaveLength(COUNT)
  expect(await ended).toBe(0)
})

it('SIGTERM waits until a slow reader of receipts has the last of them', async () => {
  const LINES = 120_000
  const client = await openStream(service, 'dataset=refused', true)
  client.stopReading()
  client.chunk('{"id":1}\n'.repeat(LINES))
  // Each refusal is answered: with so many the connection is full long before the last.
  const count = async () =>
    Number(/_records_total\{result="rejected"\} (\d+)$/m.exec((await call(service, '/metrics')).text)?.[1])
  let [refused, looks] = [0, 0]
  await until('the service to wait for its reader', async () => {
    const before = refused
    refused = await count()
    looks = refused > 0 && refused === before ? looks + 1 : 0
    return looks === 25
  })
  expect(refused).toBeLessThan(LINES)
  const ended = service.stop()
  client.readSlowly()
  const broken = await client.closed
  const text = chunkedBody(client)
  const last = /^(\{"error":.*"request_id".*\}) *$/m
  expect(last.test(text), `${broken}, after ${text.slice(-300)}`).toBe(true)
  const summary = JSON.parse(last.exec(text)![1]!)
  expect(summary).toMatchObject({
    error: { code: 'UNAVAILABLE' },
    accepted: 0,
    rejected: receiptsOf(client).at(-1)!.through,
  })
  expect(text.match(/^\{"error":\{"index"/gm)).toHaveLength(summary.rejected)
  expect(client.received().endsWith('\n\r\n0\r\n\r\n')).toBe(true)
  expect(await ended).toBe(0)
})

it('SIGTERM waits for a reader that has stopped no longer than DRAIN_SECONDS', async () => {
  const brief = await startService({ DRAIN_SECONDS: '1' })
  const client = await slowReader(brief)
  expect(await brief.stop()).toBe(0)
  client.reset()
  removeData(brief)
})
