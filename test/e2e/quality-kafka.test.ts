/** The score over a log of many partitions, each of which counts its own records, in PostgreSQL. */
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { call, pushBatch } from '../kit/api.ts'
import { available } from '../kit/faults.ts'
import { type Broker, startBroker } from '../kit/kafka.ts'
import { publicRows, withNoise } from '../kit/noisy.ts'
import { createDatabase } from '../kit/postgres.ts'
import { property } from '../kit/random.ts'
import { removeData, type Service, startService } from '../kit/service.ts'

const [kafka, postgres] = [inject('kafka'), inject('postgres')]
const possible = available('quality on Kafka', kafka && postgres ? undefined : 'It needs Kafka and PostgreSQL.')
const ROWS = 400

interface Quality {
  quality_score: number
  records_count: number
  position: string
  dimensions: Record<string, { score: number | null }>
}

describe.skipIf(!possible)('the score, from Kafka and PostgreSQL', () => {
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

  const flights = publicRows('flights-5k.json', ROWS)

  async function push(rows: readonly string[]): Promise<string> {
    const records = rows.map((data, n) => ({ id: `r${n}`, data: JSON.parse(data) }))
    const { status, body } = await pushBatch(service, 'noisy', records, { ack: 'projected' })
    expect(status).toBe(200)
    return body.position
  }
  const quality = async (query: string) => (await call<Quality>(service, `/datasets/noisy/quality${query}`)).body

  it(
    'falls as noise rises, comes back when it goes, and is known as of each moment',
    () =>
      property(1, async random => {
        const then: Quality[] = []
        for (const share of [0, 0.1, 0.25, 0.5]) {
          const position = await push(withNoise(flights, share, random))
          then.push(await quality(`?min_position=${position}`))
        }
        for (let at = 1; at < then.length; at++)
          expect(then[at]!.quality_score).toBeLessThan(then[at - 1]!.quality_score - 0.02)
        const { position, ...back } = await quality(`?min_position=${await push(flights)}`)
        expect({ ...back, position: then[0]!.position }).toEqual(then[0])
        for (const each of then) expect(await quality(`?as_of=${each.position}`)).toEqual(each)
        const { items } = (await call<{ items: Quality[] }>(service, '/datasets/noisy/quality/history?limit=200')).body
        expect(items[0]).toMatchObject({ quality_score: then[0]!.quality_score, records_count: ROWS })
        for (const item of items) {
          const { quality_score, records_count } = await quality(`?as_of=${item.position}`)
          expect([item.quality_score, item.records_count]).toEqual([quality_score, records_count])
        }
      }),
    120_000,
  )

  it('finds data sets, and refuses a category that PostgreSQL cannot keep', async () => {
    const find = async (query: string) =>
      (await call<{ datasets: object[] }>(service, `/datasets?${query}`)).body.datasets
    expect(await find('search=DELAY&quality_min=0.5&category=travel')).toHaveLength(1)
    for (const search of ['%25', '%00', '_%27']) expect(await find(`search=${search}`)).toEqual([])
    for (const field of ['category', 'name']) {
      const body = { [field]: 'a\0b' }
      const refused = await call<{ error: { details: { field: string }[] } }>(service, '/datasets/noisy', {
        ...{ method: 'PUT', body },
      })
      expect([refused.status, refused.body.error.details[0]!.field]).toEqual([400, field])
    }
    await push(flights.slice(1))
    expect((await call(service, '/datasets/noisy', { method: 'PUT', body: { category: 'trips' } })).status).toBe(200)
    expect(await find('category=trips')).toHaveLength(1)
  }, 60_000)
})
