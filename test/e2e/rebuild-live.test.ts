import { describe, expect, inject, it } from 'vitest'
import { randomFor } from '../kit/faults.ts'
import { createLedger } from '../kit/ledger.ts'
import { auditLife, openLogOf, readModelOf, untilQuiet } from '../kit/life.ts'
import { type Load, startLoad } from '../kit/load.ts'
import { createDatabase } from '../kit/postgres.ts'
import { until } from '../kit/processes.ts'
import { startReader } from '../kit/rebuild-reader.ts'
import { askForRebuild, untilRebuilt } from '../kit/rebuilds.ts'
import { removeData, startService } from '../kit/service.ts'
import { createSubscriber } from '../kit/subscriber.ts'

const postgres = inject('postgres')

interface Place {
  url?: string
  env: Record<string, string>
  close(): Promise<void>
}

const STORES: { name: string; open(): Promise<Place> }[] = [
  { name: 'SQLite', open: async () => ({ env: {}, close: async () => undefined }) },
  {
    name: 'PostgreSQL',
    async open() {
      const { url, drop } = await createDatabase(postgres!)
      return { url, env: { DATABASE_URL: url }, close: drop }
    },
  },
].slice(0, postgres ? 2 : 1)

describe.each(STORES)('a rebuild under load, in $name', ({ open }) => {
  it('is not seen by who reads, and tells nobody anything twice', { timeout: 240_000 }, async () => {
    const random = randomFor('rebuild under load')
    const { url, env, close } = await open()
    const service = await startService({ PROJECTION_MAX_EVENTS: '500', ...env })
    const log = await openLogOf(service)
    let load: Load | undefined
    let reader: ReturnType<typeof startReader> | undefined
    try {
      const ledger = createLedger(random)
      const subscriber = createSubscriber()
      await subscriber.connect(service)
      load = startLoad(service, ledger, random, { streams: 1, batches: 1, restMs: 50 })
      await until('some records to be there', () => ledger.acknowledged.size > 3000, 60_000)
      await untilQuiet(service, log)
      reader = startReader(service)
      for (let n = 0; n < 2; n++) {
        await askForRebuild(service, 'records')
        await askForRebuild(service, 'conflicts')
        for (const name of ['records', 'conflicts'])
          expect(await untilRebuilt(service, name)).toMatchObject({ state: 'completed', compared: { differing: 0 } })
      }
      const [, reads] = await Promise.all([load.stop(), reader.stop()])
      await untilQuiet(service, log, [subscriber])
      const { faults, changes } = await auditLife({
        ...{ log, readModel: url ?? readModelOf(service), ledger },
        subscribers: [subscriber],
      })
      console.log(
        `rebuild under load: ${ledger.acknowledged.size} records, ${changes.once.size} changes, ${reads} reads`,
      )
      expect([...faults, ...reader.faults]).toEqual([])
      expect(load.refusals).toEqual([])
      expect(reads).toBeGreaterThan(10)
      expect(service.process.output()).not.toMatch(/"level":50/)
    } finally {
      await Promise.all([load?.stop(), reader?.stop()])
      await log.stop()
      await service.stop()
      removeData(service)
      await close()
    }
  })
})
