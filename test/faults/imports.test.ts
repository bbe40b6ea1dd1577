import { rmSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { encodePosition } from '../../src/kernel/position.ts'
import { available, between, LONG, lasting, randomFor } from '../kit/faults.ts'
import { createFleet, type Fleet } from '../kit/fleet.ts'
import { jobEnd, jobUntil } from '../kit/forms.ts'
import { auditImport, beginImport, makeImport } from '../kit/imports.ts'
import { type Broker, startBroker } from '../kit/kafka.ts'
import { openLogOf } from '../kit/life.ts'
import { type Postgres, startPostgres } from '../kit/postgres.ts'
import { until } from '../kit/processes.ts'
import { removeData, type Service, type ServiceProcess, startService } from '../kit/service.ts'

const file = makeImport(LONG ? 100_000 : 8000)
const KILLS = LONG ? 20 : 3
/** Small pages, so that there are many places to die at. */
const env = { MAX_RUN_ROWS: LONG ? '1000' : '200' }

describe('an import whose service dies', () => {
  it(`by kill -9, ${KILLS} times at random moments: every row is in once`, async () => {
    const random = randomFor('imports')
    let service = await startService(env)
    const { dataDir } = service
    try {
      const id = await beginImport(service, 'killed', file)
      for (let kill = 0; kill < KILLS; kill++) {
        await lasting(between(random, 0, 1500))
        await service.stop('SIGKILL')
        service = await startService(env, { dataDir })
      }
      const job = await jobEnd(service, id, 120_000)
      const log = await openLogOf(service)
      expect(await auditImport(service, log, job, 'killed', file)).toEqual([])
      await log.stop()
    } finally {
      await service.stop('SIGKILL')
      removeData(service)
    }
  }, 600_000)

  /** Each point, and the first and the last time that it may die there: the log's are passed while it starts, too. */
  const points: Record<string, [first: number, last: number]> = {
    'runner.begun': [1, 1],
    'runner.page-read': [1, 20],
    'runner.page-appended': [1, 20],
    'runner.all-read': [1, 1],
    'runner.completed': [1, 1],
    'embedded.checkpoint-written': [10, 30],
    'embedded.events-written': [10, 40],
    'embedded.committed': [10, 40],
  }

  it('at each point around a page: every row is in once', async () => {
    const random = randomFor('points of imports')
    let service = await startService(env)
    const { dataDir } = service
    await service.stop()
    try {
      for (const [point, [first, last]] of Object.entries(points)) {
        const dataset = `died at ${point}`
        service = await startService({ ...env, CRASH_AT: `${point}:${between(random, first, last)}` }, { dataDir })
        const { child } = service.process
        // Some points are passed before the answer is out: then the import is there, or is not, and is looked for below.
        const begun = await beginImport(service, dataset, file).catch(() => undefined)
        await until(`the service to die at ${point}`, () => child.signalCode === 'SIGKILL', 120_000)
        service = await startService(env, { dataDir })
        const id = begun ?? (await beginImport(service, dataset, file))
        const job = await jobEnd(service, id, 120_000)
        const log = await openLogOf(service)
        expect(await auditImport(service, log, job, dataset, file), point).toEqual([])
        await log.stop()
        await service.stop()
      }
    } finally {
      await service.stop('SIGKILL')
      rmSync(dataDir, { recursive: true, force: true })
    }
  }, 900_000)
})

const kafka = inject('kafka')
const possible = available('imports on Kafka', kafka ? undefined : 'They need Kafka, which needs Java 17 and Maven.')
const SESSION_SECONDS = 6
const TAKEN_OVER_MS = 60_000

describe.skipIf(!possible)('an import on Kafka with two runners', () => {
  let broker: Broker
  let postgres: Postgres
  let fleet: Fleet
  let edge: Service
  let runners: ServiceProcess[]

  beforeAll(async () => {
    ;[broker, postgres] = await Promise.all([startBroker(), startPostgres()])
    const servers = { brokers: broker.brokers, registryUrl: kafka!.registryUrl, databaseUrl: postgres.url }
    fleet = createFleet(servers, { ...env, GROUP_SESSION_SECONDS: String(SESSION_SECONDS) })
    await fleet.member('decider')
    await fleet.member('projector')
    edge = await fleet.edge()
    runners = [await fleet.member('runner'), await fleet.member('runner')]
  }, 240_000)

  afterAll(async () => {
    await fleet?.stop()
    await Promise.all([broker?.stop(), postgres?.stop()])
  }, 60_000)

  /** How many rows a runner has brought, by its own account. */
  async function broughtBy({ url }: ServiceProcess): Promise<number> {
    const text = await (await fetch(`${url}/metrics`)).text()
    return Number(/^sync_ingest_records_total\{result="accepted"\} (\d+)$/m.exec(text)?.[1] ?? 0)
  }

  /** Begins an import, and waits until some runner is in the middle of it: that one comes first in the answer. */
  async function underWay(dataset: string): Promise<{ id: string; busy: ServiceProcess; idle: ServiceProcess }> {
    const before = await Promise.all(runners.map(broughtBy))
    const id = await beginImport(edge, dataset, file)
    await jobUntil(
      edge,
      id,
      ({ status, records_processed }) => status === 'running' && records_processed > 0,
      TAKEN_OVER_MS,
    )
    const now = await Promise.all(runners.map(broughtBy))
    const [busy, idle] = now[0]! > before[0]! ? runners : runners.toReversed()
    return { id, busy: busy!, idle: idle! }
  }

  async function expectWhole(dataset: string, id: string): Promise<void> {
    const job = await jobEnd(edge, id, TAKEN_OVER_MS * 2)
    const log = await openLogOf(edge, fleet.env)
    expect(await auditImport(edge, log, job, dataset, file)).toEqual([])
    await log.stop()
  }

  it('is taken over from one that is killed, and every row is in once', async () => {
    const { id, busy, idle } = await underWay('killed')
    await busy.stop('SIGKILL')
    await expectWhole('killed', id)
    runners = [idle, await fleet.member('runner')]
  }, 300_000)

  it('is taken over from one that sleeps, which writes nothing when it wakes', async () => {
    const { id, busy } = await underWay('slept')
    busy.process.child.kill('SIGSTOP')
    await lasting((SESSION_SECONDS + 2) * 1000)
    const job = await jobEnd(edge, id, TAKEN_OVER_MS * 2)
    const log = await openLogOf(edge, fleet.env)
    const ends = async () => encodePosition({ log: log.id, offsets: await log.ends('sync.records') })
    const before = await ends()
    busy.process.child.kill('SIGCONT')
    const settled = async () => (await fetch(`${busy.url}/health/ready`)).status === 200
    await until('it to be in the group again', settled, TAKEN_OVER_MS)
    expect(await ends()).toBe(before)
    expect(await auditImport(edge, log, job, 'slept', file)).toEqual([])
    await log.stop()
    expect(busy.process.child.exitCode).toBeNull()
  }, 300_000)

  it('is paused and resumed while runners come and go', async () => {
    const { id } = await underWay('come and go')
    expect((await edge.post(`/jobs/${id}/pause`, {})).status).toBe(202)
    await runners[1]!.stop()
    expect((await edge.post(`/jobs/${id}/resume`, {})).status).toBe(202)
    runners[1] = await fleet.member('runner')
    await expectWhole('come and go', id)
  }, 300_000)
})
