import type { Bench, Figures } from './bench.ts'
import { metric, round, runClient, startClient, withService } from './live-load.ts'

const IDLE = 1000
const FILTERS = 50

export const latency: Bench = {
  name: 'latency',
  about: `from a push to its WebSocket message, 1,000 records a second for 10 s in pushes of 10, beside ${IDLE} idle sockets and one that never reads`,
  run: () =>
    withService(async (service): Promise<Figures> => {
      const { url, token } = service
      const job = { url, token, does: 'latency', batch: 10, perSecond: 1000 } as const
      const others = startClient({ url, token, does: 'idle', dataset: 'live', subscribers: IDLE, slow: 1 })
      await others.ready
      others.go()
      await runClient({ ...job, dataset: 'warm', changes: 2000 })
      const { p50_ms, p99_ms, max_ms } = await runClient<Figures>({ ...job, dataset: 'live', changes: 10_000 })
      const resyncs = await metric(service, 'sync_websocket_resyncs_total')
      if (resyncs === 0) throw new Error('the socket that never reads was not slow: nothing was dropped for it')
      others.go()
      await others.result
      return { p50_ms: round(p50_ms!), p99_ms: round(p99_ms!), max_ms: round(max_ms!) }
    }),
}

export const fanout: Bench = {
  name: 'fanout',
  about: `4,000 changes to 500 subscribers: CPU of the whole service, pushing and projecting included, for each delivery; with one filter, and with ${FILTERS} that let all through`,
  run: () =>
    withService(async (service): Promise<Figures> => {
      const { url, token } = service
      const job = { url, token, does: 'fanout', batch: 1000 } as const
      const measure = async (dataset: string, filters: number) => {
        let before = 0
        const { deliveries, seconds } = await runClient<{ seconds: number; deliveries: number }>(
          { ...job, dataset, changes: 4000, subscribers: 500, filters },
          () => {
            before = service.cpuSeconds()
          },
        )
        return { perSecond: deliveries / seconds, cpuUs: ((service.cpuSeconds() - before) / deliveries) * 1e6 }
      }
      await runClient({ ...job, dataset: 'warm', changes: 1000, subscribers: 50, filters: 1 })
      const same = await measure('live', 1)
      const filtered = await measure('filtered', FILTERS)
      return {
        deliveries_per_s: Math.round(same.perSecond),
        cpu_us_per_delivery: round(same.cpuUs),
        filtered_cpu_us_per_delivery: round(filtered.cpuUs),
      }
    }),
}
