import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { available, lasting } from '../kit/faults.ts'
import { createFleet, type Fleet } from '../kit/fleet.ts'
import { jobEnd, jobUntil } from '../kit/forms.ts'
import { type Broker, startBroker } from '../kit/kafka.ts'
import { createDatabase, type Postgres, startPostgres } from '../kit/postgres.ts'
import { until } from '../kit/processes.ts'
import { makeJob, postgresRows, startJob } from '../kit/pulls.ts'
import type { Source } from '../kit/rows-source.ts'
import type { Service, ServiceProcess } from '../kit/service.ts'
import { COLUMNS, env, expectWhole, jobInto, startWobblySource } from '../kit/wobbly.ts'

const kafka = inject('kafka')
const possible = available('pulls on Kafka', kafka ? undefined : 'They need Kafka, which needs Java 17 and Maven.')
const SESSION_SECONDS = 6
const TAKEN_OVER_MS = 120_000
const TABLE = 'select id::integer, name, amount from customers order by id'

describe.skipIf(!possible)('a pull on Kafka with two runners', () => {
  let broker: Broker
  let postgres: Postgres
  let source: Source
  let fleet: Fleet
  let edge: Service
  let runners: ServiceProcess[]

  beforeAll(async () => {
    ;[broker, postgres, source] = await Promise.all([startBroker(), startPostgres(), startWobblySource()])
    const servers = { brokers: broker.brokers, registryUrl: kafka!.registryUrl, databaseUrl: postgres.url }
    fleet = createFleet(servers, { ...env, GROUP_SESSION_SECONDS: String(SESSION_SECONDS) })
    await fleet.member('decider')
    await fleet.member('projector')
    edge = await fleet.edge()
    runners = [await fleet.member('runner'), await fleet.member('runner')]
  }, 240_000)

  afterAll(async () => {
    await fleet?.stop()
    await Promise.all([broker?.stop(), postgres?.stop(), source?.stop()])
  }, 60_000)

  /** How many rows a runner has brought, by its own account. */
  async function broughtBy({ url }: ServiceProcess): Promise<number> {
    const text = await (await fetch(`${url}/metrics`)).text()
    return Number(/^sync_ingest_records_total\{result="accepted"\} (\d+)$/m.exec(text)?.[1] ?? 0)
  }

  /** Begins a pull into a table of a new database, and waits until some runner is in the middle of it. */
  async function underWay(): Promise<{ id: string; url: string; busy: ServiceProcess; idle: ServiceProcess }> {
    const { url } = await createDatabase(postgres.url)
    await postgresRows(url, `create table customers ${COLUMNS}`)
    const before = await Promise.all(runners.map(broughtBy))
    const { id } = await makeJob(edge, jobInto(source, url, 'append'))
    await startJob(edge, id)
    const isBusy = ({ records_processed }: { records_processed: number }) => records_processed > 0
    await jobUntil(edge, id, isBusy, TAKEN_OVER_MS)
    const now = await Promise.all(runners.map(broughtBy))
    const [busy, idle] = now[0]! > before[0]! ? runners : runners.toReversed()
    return { id, url, busy: busy!, idle: idle! }
  }

  it('is taken over from one that is killed, and the table is the source', async () => {
    const { id, url, busy, idle } = await underWay()
    await busy.stop('SIGKILL')
    await expectWhole(edge, await jobEnd(edge, id, TAKEN_OVER_MS), await postgresRows(url, TABLE))
    runners = [idle, await fleet.member('runner')]
  }, 300_000)

  it('is taken over from one that sleeps, which writes nothing when it wakes', async () => {
    const { id, url, busy } = await underWay()
    busy.process.child.kill('SIGSTOP')
    await lasting((SESSION_SECONDS + 2) * 1000)
    const job = await jobEnd(edge, id, TAKEN_OVER_MS)
    busy.process.child.kill('SIGCONT')
    const settled = async () => (await fetch(`${busy.url}/health/ready`)).status === 200
    await until('it to be in the group again', settled, TAKEN_OVER_MS)
    await expectWhole(edge, job, await postgresRows(url, TABLE))
    expect(busy.process.child.exitCode).toBeNull()
  }, 300_000)
})
