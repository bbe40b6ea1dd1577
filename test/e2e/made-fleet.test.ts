import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { call } from '../kit/api.ts'
import { realSentences } from '../kit/augmenting.ts'
import { available } from '../kit/faults.ts'
import { createFleet, type Fleet } from '../kit/fleet.ts'
import { jobEnd, jobUntil } from '../kit/forms.ts'
import { type Broker, startBroker } from '../kit/kafka.ts'
import { ASYNC, augment, dilute, lineageOf, madeRecords, plain, pushRows } from '../kit/made-datasets.ts'
import { type Postgres, startPostgres } from '../kit/postgres.ts'
import { seeded } from '../kit/random.ts'
import type { Service, ServiceProcess } from '../kit/service.ts'

const kafka = inject('kafka')
const possible = available(
  'data sets made on Kafka',
  kafka ? undefined : 'They need Kafka, which needs Java 17 and Maven.',
)
const ROWS = 600
const TAKEN_OVER_MS = 120_000

describe.skipIf(!possible)('data sets that are made on Kafka and PostgreSQL', () => {
  let broker: Broker
  let postgres: Postgres
  let fleet: Fleet
  let edge: Service
  let runner: ServiceProcess
  let position: string

  beforeAll(async () => {
    ;[broker, postgres] = await Promise.all([startBroker(), startPostgres()])
    const servers = { brokers: broker.brokers, registryUrl: kafka!.registryUrl, databaseUrl: postgres.url }
    fleet = createFleet(servers, { MAX_RUN_ROWS: '60', GROUP_SESSION_SECONDS: '6' })
    await fleet.member('decider')
    await fleet.member('projector')
    edge = await fleet.edge()
    runner = await fleet.member('runner')
    const random = seeded(2)
    const rows = (by: string) =>
      Array.from({ length: ROWS }, (_, n) => JSON.stringify({ text: random.pick(realSentences()), group: n % 5, by }))
    await pushRows(edge, 'one', rows('a'))
    position = await pushRows(edge, 'two', rows('b'))
  }, 240_000)

  afterAll(async () => {
    await fleet?.stop()
    await Promise.all([broker?.stop(), postgres?.stop()])
  }, 60_000)

  it('a dilution has matching rows, and its lineage', async () => {
    const config = { dilution_ratio: 0.5, matching_fields: ['group'], quality_threshold: 0.5 }
    const body = { source_dataset_id: 'one', dilution_dataset_ids: ['two'], config, name: 'diluted', seed: '7' }
    const answer = await dilute(edge, body, position)
    expect([answer.status, answer.body], answer.text).toMatchObject([200, { final_records: ROWS * 1.5 }])
    const made = await madeRecords(edge, 'diluted', answer.body.position)
    // The ids of both are the same, so those of the other one are given its own.
    expect(made.filter(({ origin, id }) => origin && id.startsWith(`${origin.dataset_id}:`))).toHaveLength(ROWS / 2)
    const lineage = await lineageOf(edge, 'diluted', '?limit=1000&source=two&strategy=dilution')
    expect(lineage.items).toHaveLength(ROWS / 2)
    expect(lineage).toMatchObject({ made_records: ROWS / 2, sources: [{ name: 'two', records: ROWS / 2 }] })
    expect((await dilute(edge, body, position)).status).toBe(409)
    expect((await call(edge, '/datasets/diluted/lineage?source=nowhere')).status).toBe(404)
  }, 120_000)

  it('an augmentation whose runner is killed is taken over, and has the rows of one that was not', async () => {
    const augmentation = { strategies: ['random_swap', 'synonym_replacement'], multiplier: 4, text_columns: ['text'] }
    const body = { dataset_id: 'one', augmentation, seed: '7' }
    const wanted = await augment(edge, body, position)
    expect(wanted.status, wanted.text).toBe(200)
    const begun = await augment(edge, body, position, ASYNC)
    const isBusy = ({ records_processed }: { records_processed: number }) => records_processed > 0
    await jobUntil(edge, begun.body.job_id, isBusy, TAKEN_OVER_MS)
    await runner.stop('SIGKILL')
    runner = await fleet.member('runner')
    const job = await jobEnd(edge, begun.body.job_id, TAKEN_OVER_MS)
    expect(job).toMatchObject({ status: 'completed', records_processed: wanted.body.final_records })
    const [one, other] = await Promise.all([
      madeRecords(edge, wanted.body.output_dataset_id, wanted.body.position),
      madeRecords(edge, begun.body.output_dataset_id, job.position),
    ])
    expect(plain(other)).toEqual(plain(one))
  }, 300_000)
})
