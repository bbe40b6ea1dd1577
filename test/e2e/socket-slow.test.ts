import { afterEach, expect, it } from 'vitest'
import { pushLines } from '../kit/api.ts'
import { jobEnd, pushFile } from '../kit/forms.ts'
import { until } from '../kit/processes.ts'
import { removeData, type Service, startService } from '../kit/service.ts'
import { createSubscriber, type Subscriber } from '../kit/subscriber.ts'

const PUSHES = 15
const RECORDS = 3000

let service: Service
afterEach(async () => {
  await service?.stop()
  removeData(service)
})
const start = async (env: Record<string, string> = {}) => {
  service = await startService({ MAX_SOCKET_BUFFER_BYTES: '65536', ...env })
}

async function resyncs(): Promise<number> {
  const text = await (await service.get('/metrics')).text()
  return Number(/^sync_websocket_resyncs_total (\d+)$/m.exec(text)![1])
}

/**
 * Reads nothing until it has missed something, then a little, now and then, while the service writes: its buffer is full
 * one moment and not the next.
 */
async function waver(subscriber: Subscriber): Promise<() => Promise<void>> {
  const before = await resyncs()
  let missed = false
  let reading = false
  subscriber.pause()
  const looking = until('a message to be missed', async () => (await resyncs()) > before, 60_000).then(() => {
    missed = true
  })
  const wavering = setInterval(() => {
    reading = missed && !reading
    if (reading) subscriber.resume()
    else subscriber.pause()
  }, 2)
  return async () => {
    await looking
    clearInterval(wavering)
    subscriber.resume()
  }
}

async function expectTold(subscriber: Subscriber, wanted: readonly string[]): Promise<void> {
  await until('the last change to be told', () => subscriber.told.at(-1)?.id === wanted.at(-1), 60_000)
  expect(subscriber.errors).toEqual([])
  expect(subscriber.resyncs).toBeGreaterThan(0)
  const told = subscriber.told.map(({ id }) => id)
  expect(told.length - new Set(told).size, 'told twice').toBe(0)
  expect(told).toEqual(wanted)
  await subscriber.disconnect()
}

const idsOf = (push: number) => Array.from({ length: RECORDS }, (_, n) => `r${push}-${n}`)
const TEXT = 'x'.repeat(2000)

it('a client that falls behind again and again is told of every change once', async () => {
  await start()
  const subscriber = createSubscriber()
  await subscriber.connect(service)
  const readOn = await waver(subscriber)
  for (let push = 0; push < PUSHES; push++) {
    const lines = idsOf(push).map(id => `${JSON.stringify({ id, data: { text: TEXT } })}\n`)
    const { body } = await pushLines(service, 'dataset=slow', lines.join(''))
    expect(body.accepted).toBe(RECORDS)
  }
  await readOn()
  await expectTold(subscriber, Array.from({ length: PUSHES }, (_, push) => idsOf(push)).flat())
})

it('also while a job tells its news in between', async () => {
  // Small pages: much news.
  await start({ PROJECTION_MAX_EVENTS: '1000' })
  const subscriber = createSubscriber()
  await subscriber.connect(service)
  const readOn = await waver(subscriber)
  const ids = Array.from({ length: PUSHES }, (_, push) => idsOf(push)).flat()
  const csv = ['id,text', ...ids.map(id => `${id},${TEXT}`)].join('\n')
  const { body } = await pushFile(service, csv, { options: { dataset: 'slow-file', id_column: 'id' } })
  await jobEnd(service, body.job_id)
  await readOn()
  await expectTold(subscriber, ids)
})
