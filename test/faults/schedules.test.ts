import { expect, it } from 'vitest'
import { call } from '../kit/api.ts'
import { between, LONG, lasting, randomFor } from '../kit/faults.ts'
import { until } from '../kit/processes.ts'
import { makeJob, plainJob } from '../kit/pulls.ts'
import { startSource } from '../kit/rows-source.ts'
import { removeData, startService } from '../kit/service.ts'

const KILLS = LONG ? 20 : 3
const env = { ALLOW_PRIVATE_ADDRESSES: '1' }

interface Run {
  id: string
  status: string
  trigger: string
  scheduled_at: string
}

it(`a job that runs every second, killed with the service ${KILLS} times, has one run for a time at most`, async () => {
  const random = randomFor('schedules')
  const source = await startSource({ rows: () => ['{"id":1}'] })
  let service = await startService(env)
  const { dataDir } = service
  try {
    const schedule = { type: 'interval', seconds: 1 }
    const { id, created_at } = await makeJob(service, plainJob(source, { schedule }))
    const runs = async () => (await call<{ items: Run[] }>(service, `/jobs/${id}/runs?limit=1000`)).body.items
    for (let kill = 0; kill < KILLS; kill++) {
      const before = (await runs()).length
      await until('a run to come', async () => (await runs()).length > before)
      // At the very second as well as between two.
      await lasting(between(random, 0, 1200))
      await service.stop('SIGKILL')
      service = await startService(env, { dataDir })
    }
    const before = (await runs()).filter(({ status }) => status === 'completed').length
    const isBack = async () => (await runs()).filter(({ status }) => status === 'completed').length >= before + 2
    await until('runs to come again', isBack)
    const all = await runs()
    const times = all.map(({ scheduled_at }) => Date.parse(scheduled_at))
    expect(new Set(times).size).toBe(times.length)
    expect(times.toSorted((a, b) => a - b)).toEqual(times)
    for (const time of times) expect((time - Date.parse(created_at)) % 1000).toBe(0)
    expect(new Set(all.map(({ trigger }) => trigger))).toEqual(new Set(['schedule']))
    // Those that were under way went on.
    expect(all.slice(0, -1).filter(({ status }) => status !== 'completed')).toEqual([])
  } finally {
    await service.stop('SIGKILL')
    await source.stop()
    removeData({ dataDir })
  }
}, 600_000)
