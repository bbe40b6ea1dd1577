/** The past over the API: what a read said when a position was the last one is what it says as of it, for ever. */
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { call, pushBatch } from '../kit/api.ts'
import { available } from '../kit/faults.ts'
import { type Broker, startBroker } from '../kit/kafka.ts'
import { type Life, live, newLife, readAll, recordsAsOf } from '../kit/past-api.ts'
import { createDatabase } from '../kit/postgres.ts'
import { until } from '../kit/processes.ts'
import { property, type Random } from '../kit/random.ts'
import { removeData, type Service, startService } from '../kit/service.ts'

interface Moment {
  readonly position: string
  /** After all of its events, and before those of the next. */
  readonly time: string
  readonly answers: ReadonlyMap<string, string>
}

/** When everything so far has happened, and nothing after it: the clock has gone on. */
async function timeNow(): Promise<string> {
  const now = Date.now()
  await until('the clock to go on', () => Date.now() > now)
  return new Date(now).toISOString()
}

async function liveAWhile(service: Service, life: Life, random: Random, steps: number): Promise<Moment[]> {
  const moments: Moment[] = []
  for (let step = 0; step < steps; step++) {
    await live(service, life, random)
    const answers = await readAll(service, life, `min_position=${life.position}`)
    moments.push({ position: life.position, time: await timeNow(), answers })
  }
  return moments
}

async function compare(service: Service, life: Life, { answers }: Moment, asOf: string): Promise<void> {
  const then = await readAll(service, life, `as_of=${asOf}`)
  // What came later was not there.
  const expected = [...then.keys()].map(path => [path, answers.get(path) ?? '404 ']) as [string, string][]
  expect([asOf, ...then]).toEqual([asOf, ...expected])
}

describe('the past, from the embedded log and SQLite', () => {
  let service: Service
  beforeAll(async () => {
    service = await startService()
  })
  afterAll(async () => {
    await service?.stop()
    removeData(service)
  })

  it(
    'is what it was, by position and by time',
    () =>
      property(1, async random => {
        const life = newLife()
        const moments = await liveAWhile(service, life, random, 45)
        for (const moment of moments) {
          await compare(service, life, moment, moment.position)
          await compare(service, life, moment, moment.time)
        }
        const statuses = moments.flatMap(({ answers }) => [...answers.values()].map(text => text.slice(0, 3)))
        expect(new Set(statuses)).toEqual(new Set(['200', '404']))
      }),
    300_000,
  )

  it('is the same in pages of any size, and names its place', async () => {
    const rows = Array.from({ length: 40 }, (_, n) => ({ id: `p${n + 10}`, data: { n } }))
    const first = (await pushBatch(service, 'pages', rows)).body.position
    const changed = rows.filter((_, n) => n % 3 === 0).map(({ id }) => ({ id, data: { n: -1 } }))
    await pushBatch(service, 'pages', [...changed, { id: 'new', data: {} }, { id: 'a new one', data: {} }])
    for (const limit of [1, 7, 39, 40, 41, 10_000]) {
      const items = await recordsAsOf(service, 'pages', first, limit)
      expect(items.map(({ id, data, version }) => ({ id, data, version }))).toEqual(
        rows.map(row => ({ ...row, version: 1 })),
      )
    }
    const time = await timeNow()
    const { headers, text } = await call(service, `/datasets/pages/records?as_of=${time}`)
    const place = headers.get('x-as-of')!
    expect((await call(service, `/datasets/pages/records?as_of=${place}`)).text).toBe(text)
    expect((await call(service, `/datasets/pages/records?as_of=${first}`)).headers.get('x-as-of')).toBe(first)
    expect((await call(service, '/datasets/pages/records')).headers.get('x-as-of')).toBeNull()
  })

  it('includes the event of its position, and waits for it', async () => {
    for (let n = 0; n < 30; n++) {
      const { position } = (await pushBatch(service, 'own', [{ id: 'a', data: { n } }])).body
      const { body } = await call<{ data: object; position: string }>(
        service,
        `/datasets/own/records/a?as_of=${position}`,
      )
      expect(body).toMatchObject({ data: { n }, position })
    }
  })
})

const [kafka, postgres] = [inject('kafka'), inject('postgres')]
const possible = available('the past from Kafka', kafka && postgres ? undefined : 'It needs Kafka and PostgreSQL.')

describe.skipIf(!possible)('the past, from Kafka and PostgreSQL', () => {
  let broker: Broker
  let database: Awaited<ReturnType<typeof createDatabase>>
  let service: Service
  beforeAll(async () => {
    ;[broker, database] = await Promise.all([startBroker(), createDatabase(postgres!)])
    const env = { KAFKA_BROKERS: broker.brokers, SCHEMA_REGISTRY_URL: kafka!.registryUrl, DATABASE_URL: database.url }
    service = await startService(env)
  }, 120_000)
  afterAll(async () => {
    await service?.stop()
    removeData(service)
    await Promise.all([broker?.stop(), database?.drop()])
  }, 60_000)

  it(
    'is what it was, by position and by time',
    () =>
      property(1, async random => {
        const life = newLife()
        const moments = await liveAWhile(service, life, random, 15)
        for (const moment of moments) {
          await compare(service, life, moment, moment.position)
          await compare(service, life, moment, moment.time)
        }
      }),
    300_000,
  )

  it('takes what a position does not name by the time of the last event that it does', async () => {
    const rows = Array.from({ length: 30 }, (_, n) => ({ id: `r${n}`, data: { n } }))
    await pushBatch(service, 'parts', rows, { ack: 'projected' })
    const record = async (id: string) =>
      (await call<{ position: string }>(service, `/datasets/parts/records/${id}`)).body
    await timeNow()
    await pushBatch(service, 'parts', [{ id: 'r7', data: { n: -7 } }], { ack: 'projected' })
    // It names the one partition that the record is in.
    const { position } = await record('r7')
    expect(position.match(/~/g)).toHaveLength(1)
    await timeNow()
    await pushBatch(
      service,
      'parts',
      rows.map(({ id }) => ({ id, data: { n: -1 } })),
      { ack: 'projected' },
    )
    const items = await recordsAsOf(service, 'parts', position, 100)
    const expected = rows.map(({ id, data }) => [id, id === 'r7' ? -7 : data.n]).sort()
    expect(items.map(({ id, data }) => [id, data.n])).toEqual(expected)
  })
})
