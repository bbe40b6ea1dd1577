import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { available, LONG, lasting, randomFor } from '../kit/faults.ts'
import { createFleet, type Fleet } from '../kit/fleet.ts'
import { type Broker, startBroker } from '../kit/kafka.ts'
import { createLedger } from '../kit/ledger.ts'
import { auditLife, openLogOf, untilQuiet } from '../kit/life.ts'
import { type Load, startLoad } from '../kit/load.ts'
import { createDatabase } from '../kit/postgres.ts'
import { until } from '../kit/processes.ts'
import { startReader } from '../kit/rebuild-reader.ts'
import { askForRebuild, projectionOf, untilRebuilt } from '../kit/rebuilds.ts'
import type { Service, ServiceProcess } from '../kit/service.ts'
import { createSubscriber } from '../kit/subscriber.ts'

const [kafka, postgres] = [inject('kafka'), inject('postgres')]
const missing = kafka && postgres ? undefined : 'They need Kafka and PostgreSQL.'
const possible = available('rebuilds by several processes', missing)

const ROUNDS = LONG ? 12 : 2
const DEATHS = ['rebuild.begun', 'projector.committed', 'rebuild.comparing', 'rebuild.held', 'rebuild.swapped']

describe.skipIf(!possible)('rebuilds by projectors on Kafka and PostgreSQL, under load', () => {
  const random = randomFor('rebuilds by several processes')
  const ledger = createLedger(random)
  const subscriber = createSubscriber()
  let broker: Broker
  let database: Awaited<ReturnType<typeof createDatabase>>
  let fleet: Fleet
  let edge: Service
  let projectors: ServiceProcess[]
  let load: Load
  let reader: ReturnType<typeof startReader>

  beforeAll(async () => {
    ;[broker, database] = await Promise.all([startBroker(), createDatabase(postgres!)])
    const servers = { brokers: broker.brokers, registryUrl: kafka!.registryUrl, databaseUrl: database.url }
    fleet = createFleet(servers, { GROUP_SESSION_SECONDS: '6' })
    await fleet.member('decider')
    projectors = [await fleet.member('projector'), await fleet.member('projector')]
    edge = await fleet.edge()
    await until('the subscriber to be answered', async () => {
      await subscriber.connect(edge)
      return subscriber.position
    })
    load = startLoad(edge, ledger, random, { streams: 1, batches: 1, records: 20, restMs: LONG ? 30 : 80 })
    await until('pushes to be taken', () => ledger.acknowledged.size > 2000, 60_000)
    const position = [...ledger.acknowledged.values()].at(-1)!
    await until('them to be read', async () => (await edge.get(`/datasets?min_position=${position}`)).status === 200)
    reader = startReader(edge)
  }, 240_000)
  afterAll(async () => {
    await Promise.all([load?.stop(), reader?.stop()])
    await fleet?.stop()
    await Promise.all([broker?.stop(), database?.drop()])
  }, 60_000)

  it('are made by one of them', { timeout: 240_000 }, async () => {
    for (const name of ['records', 'conflicts', 'jobs']) {
      const id = await askForRebuild(edge, name)
      expect(await untilRebuilt(edge, name)).toMatchObject({ id, state: 'completed', compared: { differing: 0 } })
    }
  })

  it('are gone on with by another one when that dies', { timeout: 900_000 }, async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const point = random.pick(DEATHS)
      const nth = point === 'projector.committed' ? 20 + random.int(100) : 1
      // The ones that are to die are the only ones at first: one of them has the work.
      const dying = await Promise.all([1, 2].map(() => fleet.member('projector', { CRASH_AT: `${point}:${nth}` })))
      await Promise.all(projectors.splice(0).map(each => each.stop()))
      await lasting(1000)
      const id = await askForRebuild(edge, 'records')
      const isDead = ({ process: { child } }: ServiceProcess) => child.signalCode === 'SIGKILL'
      await until(`one to die at ${point}`, () => dying.some(isDead), 240_000)
      projectors.push(await fleet.member('projector'), await fleet.member('projector'))
      await Promise.all(dying.map(each => each.stop('SIGKILL')))
      const ended = await untilRebuilt(edge, 'records')
      expect(ended, point).toMatchObject({ id, state: 'completed', compared: { differing: 0 } })
    }
    expect((await projectionOf(edge, 'records')).rebuild).toBe(null)
  })

  it('have lost nothing, told nothing twice, and nobody who read has seen anything of them', {
    timeout: 300_000,
  }, async () => {
    await Promise.all([load.stop(), reader.stop()])
    const log = await openLogOf(edge, fleet.env)
    await untilQuiet(edge, log, [subscriber])
    const { faults, changes } = await auditLife({ log, readModel: database.url, ledger, subscribers: [subscriber] })
    await log.stop()
    console.log(`rebuilds in a fleet: ${ledger.acknowledged.size} records, ${changes.once.size} changes`)
    expect([...faults, ...reader.faults]).toEqual([])
    expect(load.refusals).toEqual([])
  })
})
