import { afterAll, beforeAll, expect, it } from 'vitest'
import { pushLines } from '../kit/api.ts'
import { until } from '../kit/processes.ts'
import { removeData, type Service, startService } from '../kit/service.ts'
import { createSubscriber } from '../kit/subscriber.ts'

const PUSHES = 15
const RECORDS = 3000

let service: Service
beforeAll(async () => {
  service = await startService({ MAX_SOCKET_BUFFER_BYTES: '65536' })
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

it('a client that falls behind again and again is told of every change once', async () => {
  const subscriber = createSubscriber()
  await subscriber.connect(service)
  // Reads a little, now and then, while the service writes: its buffer is full one moment and not the next.
  let reading = true
  const wavering = setInterval(() => {
    reading = !reading
    if (reading) subscriber.resume()
    else subscriber.pause()
  }, 2)
  const wanted: string[] = []
  for (let push = 0; push < PUSHES; push++) {
    const ids = Array.from({ length: RECORDS }, (_, n) => `r${push}-${n}`)
    const lines = ids.map(id => `${JSON.stringify({ id, data: { text: 'x'.repeat(2000) } })}\n`)
    const { body } = await pushLines(service, 'dataset=slow', lines.join(''))
    expect(body.accepted).toBe(RECORDS)
    wanted.push(...ids)
  }
  clearInterval(wavering)
  subscriber.resume()
  await until('the last change to be told', () => subscriber.told.at(-1)?.id === wanted.at(-1), 60_000)
  expect(subscriber.errors).toEqual([])
  expect(subscriber.resyncs).toBeGreaterThan(0)
  const told = subscriber.told.map(({ id }) => id)
  const twice = told.length - new Set(told).size
  expect(twice).toBe(0)
  expect(told).toEqual(wanted)
  await subscriber.disconnect()
})
