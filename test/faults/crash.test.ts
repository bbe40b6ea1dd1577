import { expect, it } from 'vitest'
import { between, LONG, lasting, randomFor } from '../kit/faults.ts'
import { createLedger } from '../kit/ledger.ts'
import { auditLife, openLogOf, readModelOf, untilQuiet } from '../kit/life.ts'
import { startLoad } from '../kit/load.ts'
import { until } from '../kit/processes.ts'
import { removeData, startService } from '../kit/service.ts'
import { createSubscriber } from '../kit/subscriber.ts'

const KILLS = LONG ? 50 : 3

it(`kill -9 under load, ${KILLS} times: what was acknowledged is there once, and everything follows from it`, async () => {
  const random = randomFor('crash')
  const ledger = createLedger(random)
  const subscribers = [createSubscriber(), createSubscriber()]
  const [steady, seldom] = subscribers
  let service = await startService()
  const { dataDir } = service
  try {
    for (const subscriber of subscribers) await subscriber.connect(service)
    for (let kill = 0; kill < KILLS; kill++) {
      const before = ledger.acknowledged.size
      const load = startLoad(service, ledger, random)
      await until('the load to be answered', () => ledger.acknowledged.size > before)
      await lasting(between(random, 0, 600))
      await service.stop('SIGKILL')
      await load.stop()
      service = await startService({}, { dataDir })
      void steady!.connect(service)
      // The other one stays away for some lives and has the more to catch up with.
      if (random.chance(0.4)) void seldom!.connect(service)
    }
    await seldom!.disconnect()
    await seldom!.connect(service)
    const log = await openLogOf(service)
    await untilQuiet(service, log, subscribers)
    await service.stop()
    const { faults, changes } = await auditLife({ log, readModel: readModelOf({ dataDir }), ledger, subscribers })
    await log.stop()
    const { pushes, acknowledged } = ledger
    console.log(
      `crash: ${KILLS} kills, ${pushes.length} pushes, ${acknowledged.size} acknowledged, ${changes.once.size} changes, ` +
        `resyncs ${subscribers.map(({ resyncs }) => resyncs)}`,
    )
    if (faults.length > 0) console.log(subscribers.map(({ history }) => history.join('\n')).join('\n\n'))
    expect(faults).toEqual([])
    expect(acknowledged.size).toBeGreaterThan(KILLS * 10)
  } finally {
    for (const subscriber of subscribers) await subscriber.disconnect()
    await service.stop('SIGKILL')
    removeData(service)
  }
}, 900_000)
