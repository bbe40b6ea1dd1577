import { rmSync } from 'node:fs'
import { describe, expect, inject, it } from 'vitest'
import { between, LONG, randomFor } from '../kit/faults.ts'
import { startBroker } from '../kit/kafka.ts'
import { type AskedKeys, auditKeys, startKeyLoad } from '../kit/key-load.ts'
import { createLedger } from '../kit/ledger.ts'
import { auditLife, openLogOf, readModelOf, untilQuiet } from '../kit/life.ts'
import { startLoad } from '../kit/load.ts'
import { until } from '../kit/processes.ts'
import type { Random } from '../kit/random.ts'
import { type Service, startService } from '../kit/service.ts'

type Env = Record<string, string>

/** Where the events are, and how often each point may be passed before the service dies there. */
interface Place {
  readonly name: string
  readonly points: Readonly<Record<string, number>>
  readonly lives: number
  open(): Promise<{ env: Env; close(): Promise<void> }>
}

const PROJECTOR = { 'projector.worked-out': 5, 'projector.changes-appended': 5, 'projector.committed': 5 }

const embedded: Place = {
  name: 'the embedded log',
  points: {
    ...PROJECTOR,
    'embedded.checkpoint-written': 20,
    'embedded.events-written': 100,
    'embedded.committed': 100,
  },
  lives: LONG ? 12 : 1,
  open: async () => ({ env: {}, close: async () => undefined }),
}

const kafka: Place = {
  name: 'Kafka',
  points: { ...PROJECTOR, 'kafka.events-sent': 10, 'kafka.offsets-sent': 10, 'kafka.committed': 10 },
  lives: 2,
  // A broker of our own: the topics have fixed names, and others use those of the shared one.
  async open() {
    const broker = await startBroker()
    const env = { KAFKA_BROKERS: broker.brokers, SCHEMA_REGISTRY_URL: inject('kafka')!.registryUrl }
    return { env, close: () => broker.stop() }
  },
}

/** Every point once, and in the long form once more at its first passing, which may be before the service is ready. */
function deaths({ points }: Place, random: Random): string[] {
  const later = Object.entries(points).map(([point, most]) => `${point}:${between(random, 1, most)}`)
  const first = LONG ? Object.keys(points).map(point => `${point}:1`) : []
  const all = [...later, ...first].map(point => ({ point, at: random.int(1_000_000) }))
  return all.sort((a, b) => a.at - b.at).map(({ point }) => point)
}

/** Starts the service to die at a point; undefined when it does so before it is ready. */
async function startToDie(point: string, env: Env, dataDir: string): Promise<Service | undefined> {
  try {
    return await startService({ ...env, CRASH_AT: point }, { dataDir })
  } catch (error) {
    if (/the service ended: |fetch failed/.test((error as Error).message)) return undefined
    throw error
  }
}

/** A service that dies at one point after the other, under load all the time, and then lives. */
async function live(place: Place, env: Env, life: number): Promise<void> {
  const random = randomFor(`points of ${place.name}, life ${life}`)
  const ledger = createLedger(random)
  const keys: AskedKeys = new Map()
  let service: Service | undefined = await startService(env)
  const { dataDir } = service
  await service.stop()
  try {
    for (const point of deaths(place, random)) {
      service = await startToDie(point, env, dataDir)
      if (!service) continue
      const { child } = service.process
      const loads = [startLoad(service, ledger, random, { restMs: 10 }), startKeyLoad(service, keys)]
      await until(`the service to die at ${point}`, () => child.signalCode === 'SIGKILL', 60_000)
      for (const load of loads) await load.stop()
    }
    service = await startService(env, { dataDir })
    const log = await openLogOf(service, env)
    const load = startLoad(service, ledger, random)
    const before = ledger.acknowledged.size
    await until('pushes to be taken again', () => ledger.acknowledged.size > before + 500)
    await load.stop()
    await untilQuiet(service, log)
    const keyFaults = await auditKeys(log, service, keys)
    await service.stop()
    const { faults, changes } = await auditLife({ log, readModel: readModelOf({ dataDir }), ledger })
    await log.stop()
    const { pushes, acknowledged } = ledger
    console.log(
      `points: ${pushes.length} pushes, ${acknowledged.size} acknowledged, ${keys.size} keys, ` +
        `${changes.once.size} changes`,
    )
    expect([...faults, ...keyFaults]).toEqual([])
  } finally {
    await service?.stop('SIGKILL')
    rmSync(dataDir, { recursive: true, force: true })
  }
}

describe.each([embedded, ...(LONG && inject('kafka') ? [kafka] : [])])('kill -9 at each point, on $name', place => {
  it.each(Array.from({ length: place.lives }, (_, n) => n + 1))(
    'life %i: nothing is lost, and no change is told twice',
    { timeout: 300_000 },
    async life => {
      const { env, close } = await place.open()
      try {
        await live(place, env, life)
      } finally {
        await close()
      }
    },
  )
})
