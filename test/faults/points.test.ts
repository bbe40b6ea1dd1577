import { rmSync } from 'node:fs'
import { expect, it } from 'vitest'
import { between, LONG, randomFor } from '../kit/faults.ts'
import { type AskedKeys, auditKeys, startKeyLoad } from '../kit/key-load.ts'
import { createLedger } from '../kit/ledger.ts'
import { auditLife, openLogOf, untilQuiet } from '../kit/life.ts'
import { startLoad } from '../kit/load.ts'
import { until } from '../kit/processes.ts'
import type { Random } from '../kit/random.ts'
import { type Service, startService } from '../kit/service.ts'

/** The most times each point is passed before the service dies there; the least is once. */
const POINTS = {
  'projector.worked-out': 5,
  'projector.changes-appended': 5,
  'projector.committed': 5,
  'embedded.checkpoint-written': 20,
  'embedded.events-written': 100,
  'embedded.committed': 100,
} as const
type Point = keyof typeof POINTS

const LIVES = LONG ? 12 : 1

/** Every point once, and in the long form once more at its first passing, which may be before the service is ready. */
function deaths(random: Random): string[] {
  const later = (Object.keys(POINTS) as Point[]).map(point => `${point}:${between(random, 1, POINTS[point])}`)
  const first = LONG ? Object.keys(POINTS).map(point => `${point}:1`) : []
  const all = [...later, ...first].map(point => ({ point, at: random.int(1_000_000) }))
  return all.sort((a, b) => a.at - b.at).map(({ point }) => point)
}

/** Starts the service to die at a point; undefined when it does so before it is ready. */
async function startToDie(point: string, dataDir: string): Promise<Service | undefined> {
  try {
    return await startService({ CRASH_AT: point }, { dataDir })
  } catch (error) {
    if (/the service ended: |fetch failed/.test((error as Error).message)) return undefined
    throw error
  }
}

it.each(Array.from({ length: LIVES }, (_, n) => n + 1))(
  'kill -9 at each point of log and projector, life %i: nothing is lost, repeats are the same',
  async life => {
    const random = randomFor(`points, life ${life}`)
    const ledger = createLedger(random)
    const keys: AskedKeys = new Map()
    let service: Service | undefined = await startService()
    const { dataDir } = service
    await service.stop()
    try {
      for (const point of deaths(random)) {
        service = await startToDie(point, dataDir)
        if (!service) continue
        const { child } = service.process
        const loads = [startLoad(service, ledger, random), startKeyLoad(service, keys)]
        await until(`the service to die at ${point}`, () => child.signalCode === 'SIGKILL', 60_000)
        for (const load of loads) await load.stop()
      }
      service = await startService({}, { dataDir })
      const log = await openLogOf(service)
      const load = startLoad(service, ledger, random)
      const before = ledger.acknowledged.size
      await until('pushes to be taken again', () => ledger.acknowledged.size > before + 500)
      await load.stop()
      await untilQuiet(service, log)
      const keyFaults = await auditKeys(log, service, keys)
      await service.stop()
      const { faults, changes } = await auditLife({ log, dataDir, ledger })
      await log.stop()
      const { pushes, acknowledged } = ledger
      console.log(
        `points: ${pushes.length} pushes, ${acknowledged.size} acknowledged, ${keys.size} keys, ` +
          `${changes.once.size} changes, ${changes.repeats} repeated`,
      )
      expect([...faults, ...keyFaults]).toEqual([])
      // Dying between the changes and the checkpoint must repeat them, or this test has not been there.
      expect(changes.repeats).toBeGreaterThan(0)
    } finally {
      await service?.stop('SIGKILL')
      rmSync(dataDir, { recursive: true, force: true })
    }
  },
  300_000,
)
