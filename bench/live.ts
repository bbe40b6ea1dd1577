import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { removeData, type Service, startService } from '../test/kit/service.ts'
import type { Bench, Figures } from './bench.ts'

/** What the live load client is told to do; `subscribers` 0 means: measure latency with one. */
export interface LiveJob {
  url: string
  token: string
  dataset: string
  changes: number
  batch: number
  perSecond: number
  subscribers: number
}

const CLIENT = fileURLToPath(new URL('./live-client.ts', import.meta.url))

/** Runs the client; `onReady` is called when its subscribers are there, before it pushes. */
async function runClient<Result>(job: LiveJob, onReady: () => void = () => undefined): Promise<Result> {
  const client = spawn(process.execPath, [CLIENT, JSON.stringify(job)], { stdio: ['pipe', 'pipe', 'inherit'] })
  for await (const line of createInterface({ input: client.stdout })) {
    const { ready, result } = JSON.parse(line)
    if (ready) {
      onReady()
      client.stdin.write('go\n')
    }
    if (result) return result
  }
  throw new Error('the load client ended without a result')
}

async function withService<Result>(use: (service: Service) => Promise<Result>): Promise<Result> {
  const service = await startService()
  try {
    return await use(service)
  } finally {
    await service.stop()
    removeData(service)
  }
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000
}

export const latency: Bench = {
  name: 'latency',
  about: 'from a push to its WebSocket message, 1,000 records a second for 10 s in pushes of 10',
  run: () =>
    withService(async ({ url, token }): Promise<Figures> => {
      const job = { url, token, batch: 10, perSecond: 1000, subscribers: 0 }
      await runClient({ ...job, dataset: 'warm', changes: 2000 })
      const { p50_ms, p99_ms, max_ms } = await runClient<Figures>({ ...job, dataset: 'live', changes: 10_000 })
      return { p50_ms: round(p50_ms!), p99_ms: round(p99_ms!), max_ms: round(max_ms!) }
    }),
}

export const fanout: Bench = {
  name: 'fanout',
  about:
    '4,000 changes to 500 subscribers: CPU of the whole service, pushing and projecting included, for each delivery',
  run: () =>
    withService(async (service): Promise<Figures> => {
      const { url, token } = service
      const job = { url, token, batch: 1000, perSecond: 0, subscribers: 500 }
      await runClient({ ...job, dataset: 'warm', changes: 1000, subscribers: 50 })
      let before = 0
      const result = await runClient<{ seconds: number; deliveries: number }>(
        { ...job, dataset: 'live', changes: 4000 },
        () => {
          before = service.cpuSeconds()
        },
      )
      return {
        deliveries_per_s: Math.round(result.deliveries / result.seconds),
        cpu_us_per_delivery: round(((service.cpuSeconds() - before) / result.deliveries) * 1e6),
      }
    }),
}
