import { expect, inject, it } from 'vitest'
import { available, between, LONG, lasting, randomFor } from '../kit/faults.ts'
import { type Broker, startBroker } from '../kit/kafka.ts'
import { createLedger } from '../kit/ledger.ts'
import { auditLife, openLogOf, readModelOf, untilQuiet } from '../kit/life.ts'
import { type Refusal, startLoad } from '../kit/load.ts'
import { until } from '../kit/processes.ts'
import type { Random } from '../kit/random.ts'
import { removeData, type Service, startService } from '../kit/service.ts'
import { createSubscriber } from '../kit/subscriber.ts'
import { startWire, type Wire } from '../kit/wire.ts'

const kafka = inject('kafka')
const possible = available('the broker tests', kafka ? undefined : 'They need Kafka, which needs Java 17 and Maven.')

const KAFKA_TIMEOUT_MS = 2000
/** A push may wait for the one before it to be given up, and then as long itself. */
const ANSWERED_MS = 4 * KAFKA_TIMEOUT_MS
const PROBED_MS = 5000

/** Ways a broker goes away, and comes back. */
const outages = [
  {
    name: 'killed',
    seconds: LONG ? 10 : 2.5,
    begin: (broker: Broker) => broker.stop('SIGKILL'),
    end: (broker: Broker) => broker.start(),
  },
  {
    name: 'frozen',
    seconds: LONG ? 10 : 5,
    begin: (broker: Broker) => broker.pause(),
    end: (broker: Broker) => broker.resume(),
  },
]
const ROUNDS = LONG ? 3 : 1
const LOSSES = LONG ? 20 : 5

let longestProbeMs = 0
/** What a probe is told. It must be told soon, or whoever probes gives up first. */
async function readiness(service: Service): Promise<number> {
  const started = Date.now()
  const answer = await service.get('/health/ready')
  await answer.arrayBuffer()
  longestProbeMs = Math.max(longestProbeMs, Date.now() - started)
  return answer.status
}

/** A refusal must be the documented one: 503 with Retry-After, in the documented shape, in bounded time. */
function expectRefusal({ kind, status, retryAfter, body, tookMs }: Refusal): void {
  const request_id = expect.any(String)
  expect(body.error).toEqual({ code: 'UNAVAILABLE', message: expect.any(String), details: [], request_id })
  if (kind === 'stream') return
  expect(status).toBe(503)
  expect(Number(retryAfter)).toBeGreaterThanOrEqual(1)
  expect(tookMs).toBeLessThan(ANSWERED_MS)
}

async function outlast(
  outage: (typeof outages)[number],
  broker: Broker,
  service: Service,
  load: ReturnType<typeof startLoad>,
  acknowledged: () => number,
): Promise<void> {
  await outage.begin(broker)
  const [refused, begun] = [load.refusals.length, Date.now()]
  await until(`pushes to be refused while the broker is ${outage.name}`, () =>
    ['batch', 'stream'].every(kind => load.refusals.slice(refused).some(refusal => refusal.kind === kind)),
  )
  await until('/health/ready to say not ready', async () => (await readiness(service)) === 503)
  expect((await service.get('/health/live')).status).toBe(200)
  expect((await service.get('/datasets')).status, 'the read model needs no broker').toBe(200)
  await lasting(outage.seconds * 1000 - (Date.now() - begun))
  await outage.end(broker)
  const again = async () => (await readiness(service)) === 200
  await until('/health/ready to say ready again', again, 60_000).catch(async error => {
    throw new Error(`${await (await service.get('/health/ready')).text()} ${service.process.output()}`, {
      cause: error,
    })
  })
  const before = acknowledged()
  const [since, refusedBefore] = [Date.now(), load.refusals.length]
  await until('pushes to be taken again', () => acknowledged() > before + 1000, 60_000).catch(async error => {
    const told = load.refusals.slice(refusedBefore).slice(-5)
    const what = `${acknowledged() - before} in ${Date.now() - since} ms after it was ${outage.name}, refused: ${JSON.stringify(told)}`
    throw new Error(`${what} ${service.process.output().slice(-5000)}`, { cause: error })
  })
}

/** Cuts the connections when the broker has taken what was sent and its answers are on their way. */
async function loseAnswers(wire: Wire, random: Random, acknowledged: () => number): Promise<void> {
  wire.loseAnswers()
  await lasting(between(random, 20, 300))
  wire.cut()
  const before = acknowledged()
  await until('pushes to be taken again', () => acknowledged() > before + 200)
}

it.skipIf(!possible)(
  `a broker that is killed, frozen and unheard, ${ROUNDS} times each under load: nothing is lost or doubled`,
  async () => {
    const random = randomFor('broker')
    const ledger = createLedger(random)
    const subscriber = createSubscriber()
    let wire: Wire | undefined
    const broker = await startBroker(async port => {
      wire = await startWire(port)
      return wire.port
    })
    const env = {
      KAFKA_BROKERS: broker.brokers,
      SCHEMA_REGISTRY_URL: kafka!.registryUrl,
      KAFKA_TIMEOUT_MS: String(KAFKA_TIMEOUT_MS),
    }
    let service: Service | undefined
    try {
      service = await startService(env)
      await subscriber.connect(service)
      const load = startLoad(service, ledger, random, { restMs: 10 })
      await until('the load to be answered', () => ledger.acknowledged.size > 200)
      for (let round = 0; round < ROUNDS; round++) {
        for (const outage of outages) await outlast(outage, broker, service, load, () => ledger.acknowledged.size)
        for (let loss = 0; loss < LOSSES; loss++) await loseAnswers(wire!, random, () => ledger.acknowledged.size)
      }
      await load.stop()
      expect(service.process.child.exitCode).toBeNull()
      for (const refusal of load.refusals) expectRefusal(refusal)
      expect(longestProbeMs).toBeLessThan(PROBED_MS)

      const log = await openLogOf(service, env)
      await untilQuiet(service, log, [subscriber])
      await service.stop('SIGKILL')
      const { faults, changes } = await auditLife({
        log,
        readModel: readModelOf(service),
        ledger,
        subscribers: [subscriber],
      })
      await log.stop()
      const { pushes, acknowledged } = ledger
      console.log(
        `broker: ${pushes.length} pushes, ${acknowledged.size} acknowledged, ${load.refusals.length} refusals, ` +
          `${changes.once.size} changes`,
      )
      expect(faults).toEqual([])
    } finally {
      await subscriber.disconnect()
      if (service) {
        await service.stop('SIGKILL')
        removeData(service)
      }
      await broker.resume()
      await broker.stop()
      await wire?.stop()
    }
  },
  300_000,
)
