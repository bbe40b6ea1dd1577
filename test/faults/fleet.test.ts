import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { available, between, LONG, lasting, randomFor } from '../kit/faults.ts'
import { createFleet, type Fleet } from '../kit/fleet.ts'
import { type Broker, startBroker } from '../kit/kafka.ts'
import { createLedger } from '../kit/ledger.ts'
import { auditLife, openLogOf, untilQuiet } from '../kit/life.ts'
import { type Load, startLoad } from '../kit/load.ts'
import { type Postgres, startPostgres } from '../kit/postgres.ts'
import { until } from '../kit/processes.ts'
import { type Redis, startRedis } from '../kit/redis.ts'
import type { Service, ServiceProcess } from '../kit/service.ts'
import { createSubscriber } from '../kit/subscriber.ts'
import { startWire, type Wire } from '../kit/wire.ts'

const kafka = inject('kafka')
const possible = available('the fleet tests', kafka ? undefined : 'They need Kafka, which needs Java 17 and Maven.')

/** Enough that there is always something under way; what is under test is not how much. */
const LOAD = { streams: 1, batches: 1, records: 20, restMs: LONG ? 20 : 80 }
const SESSION_SECONDS = 6
/** A stream that is held by someone who has gone is taken over after a session, and moves after that. */
const TAKEN_OVER_MS = 60_000

/** The streams that a projector or decider holds and how far behind each is, by its own account. */
async function lagOf({ url }: ServiceProcess): Promise<Record<string, number>> {
  const answer = await fetch(`${url}/health/ready`)
  return ((await answer.json()) as { lag: Record<string, number> }).lag
}

describe.skipIf(!possible)('roles in processes of their own, under load', () => {
  const random = randomFor('fleet')
  const ledger = createLedger(random)
  const subscriber = createSubscriber()
  let broker: Broker
  let postgres: Postgres
  let redis: Redis
  let wire: Wire
  let fleet: Fleet
  let edges: Service[]
  let projectors: ServiceProcess[]
  let decider: ServiceProcess
  let loads: Load[]

  beforeAll(async () => {
    ;[broker, postgres, redis] = await Promise.all([startBroker(), startPostgres(), startRedis()])
    wire = await startWire(postgres.port)
    const servers = { brokers: broker.brokers, registryUrl: kafka!.registryUrl, redisUrl: redis.url }
    fleet = createFleet(
      { ...servers, databaseUrl: postgres.url },
      { GROUP_SESSION_SECONDS: String(SESSION_SECONDS), KAFKA_TIMEOUT_MS: '3000' },
    )
    decider = await fleet.member('decider')
    // One of the projectors reaches the database over a wire that can be cut.
    projectors = [await fleet.member('projector'), await fleet.member('projector', { DATABASE_URL: overWire() })]
    edges = [await fleet.edge(), await fleet.edge()]
    // First: it is audited for every change there is. A socket that ends before it is answered has no place to go on from.
    await until('the subscriber to be answered', async () => {
      await subscriber.connect(edges[0]!)
      return subscriber.position
    })
    loads = edges.map(edge => startLoad(edge, ledger, random, LOAD))
  }, 240_000)

  afterAll(async () => {
    await fleet?.stop()
    await Promise.all([broker?.stop(), postgres?.stop(), redis?.stop(), wire?.stop()])
  }, 60_000)

  function overWire(): string {
    const url = new URL(postgres.url)
    url.port = String(wire.port)
    return url.href
  }

  async function untilTaken(records = 200): Promise<void> {
    const before = ledger.acknowledged.size
    await until('pushes to be taken', () => ledger.acknowledged.size > before + records, TAKEN_OVER_MS)
  }

  /** Everything acknowledged so far is in the read model, as any edge says. */
  async function untilRead(edge = edges[0]!): Promise<void> {
    const position = [...ledger.acknowledged.values()].at(-1)!
    const read = async () => (await edge.get(`/datasets?min_position=${position}`)).status === 200
    await until('the read model to follow', read, TAKEN_OVER_MS)
  }

  it('projectors come and go every two seconds', async () => {
    await untilTaken()
    for (let left = LONG ? 30 : 4; left > 0; left--) {
      const leaving = projectors.length > 3 || (projectors.length > 1 && random.chance(0.5))
      if (leaving) {
        const [gone] = projectors.splice(random.int(projectors.length), 1)
        void gone!.stop(random.chance(0.5) ? 'SIGKILL' : 'SIGTERM')
      } else projectors.push(await fleet.member('projector'))
      await lasting(2000)
    }
    await untilTaken()
    await untilRead()
  }, 900_000)

  it('a projector sleeps, another takes over, and it wakes: it writes nothing and works on when it is given streams', async () => {
    const [sleeper, other] = [await fleet.member('projector'), await fleet.member('projector')]
    await until('it to hold streams', async () => Object.keys(await lagOf(sleeper)).length > 0, TAKEN_OVER_MS)
    sleeper.process.child.kill('SIGSTOP')
    await lasting((SESSION_SECONDS + 2) * 1000)
    await untilTaken()
    await untilRead()
    sleeper.process.child.kill('SIGCONT')
    await until('it to hold streams again', async () => Object.keys(await lagOf(sleeper)).length > 0, TAKEN_OVER_MS)
    projectors.push(sleeper, other)
    await untilTaken()
    await untilRead()
  }, 300_000)

  it('each role is killed and started again', async () => {
    await edges[1]!.stop('SIGKILL')
    await loads[1]!.stop()
    edges[1] = await fleet.edge()
    loads[1] = startLoad(edges[1], ledger, random, LOAD)
    // Whoever was connected to an edge goes on at another one, from the same position.
    await edges[0]!.stop('SIGKILL')
    await loads[0]!.stop()
    await subscriber.connect(edges[1])
    edges[0] = await fleet.edge()
    loads[0] = startLoad(edges[0], ledger, random, LOAD)
    await decider.stop('SIGKILL')
    decider = await fleet.member('decider')
    const made = () => edges[0]!.post('/api-keys', { name: 'after', permissions: ['sync:read'] })
    await until('commands to be decided again', async () => (await made()).status === 201, TAKEN_OVER_MS)
    for (const projector of projectors.splice(0)) await projector.stop('SIGKILL')
    projectors.push(await fleet.member('projector'), await fleet.member('projector', { DATABASE_URL: overWire() }))
    await untilTaken()
    await untilRead()
  }, 300_000)

  it('the network between a projector and PostgreSQL is silent, and heals', async () => {
    wire.silence()
    await lasting(LONG ? 45_000 : 5000)
    wire.heal()
    await untilTaken()
    await untilRead()
  }, 300_000)

  it('PostgreSQL is restarted', async () => {
    await postgres.restart()
    await untilTaken()
    await untilRead()
  }, 300_000)

  it('Redis is killed, and nobody notices but /health', async () => {
    await redis.stop()
    await untilTaken()
    const told = async () =>
      ((await (await edges[0]!.get('/health')).json()) as { components: { redis: string } }).components.redis
    await until('/health to say so', async () => (await told()) !== 'healthy')
    expect((await edges[0]!.get('/health/ready')).status).toBe(200)
    await redis.start()
    await until('/health to say it is back', async () => (await told()) === 'healthy')
  }, 120_000)

  it('the broker is frozen', async () => {
    await broker.pause()
    await lasting(LONG ? 30_000 : between(random, 4000, 8000))
    await broker.resume()
    await untilTaken()
    await untilRead()
  }, 300_000)

  it('afterwards every acknowledged record is there once, live equals rebuilt, and the subscriber saw no gap', async () => {
    for (const load of loads) await load.stop()
    const log = await openLogOf(edges[0]!, fleet.env)
    await untilQuiet(edges[0]!, log, [subscriber])
    const { faults, changes } = await auditLife({ log, readModel: postgres.url, ledger, subscribers: [subscriber] })
    await log.stop()
    console.log(
      `fleet: ${ledger.pushes.length} pushes, ${ledger.acknowledged.size} acknowledged, ${changes.once.size} changes`,
    )
    expect(faults, subscriber.history.slice(0, 20).join('\n')).toEqual([])
    expect(loads.flatMap(load => load.refusals).filter(({ status }) => status === 500)).toEqual([])
  }, 300_000)
})
