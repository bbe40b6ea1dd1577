import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { removeData, type Service, startService } from '../test/kit/service.ts'

/** What a load client of the live benches is told to do. */
export type LiveJob = { url: string; token: string; dataset: string } & (
  | { does: 'latency'; changes: number; batch: number; perSecond: number }
  /** Subscribers of as many different filters, each of which lets everything through. */
  | { does: 'fanout'; changes: number; batch: number; subscribers: number; filters: number }
  | { does: 'catch-up'; changes: number; subscribers: number; since: string }
  /** Sockets that are subscribed and get nothing, and some that get it all and never read. */
  | { does: 'idle'; subscribers: number; slow: number }
)

export interface LoadClient<Result> {
  /** Resolves when it is about to begin. */
  readonly ready: Promise<void>
  /** Lets it begin; the second time, end. */
  go(): void
  readonly result: Promise<Result>
}

const CLIENT = fileURLToPath(new URL('./live-client.ts', import.meta.url))

/** Starts a load client, a process of its own so that its CPU is not counted as the service's. */
export function startClient<Result = object>(job: LiveJob): LoadClient<Result> {
  const client = spawn(process.execPath, [CLIENT, JSON.stringify(job)], { stdio: ['pipe', 'pipe', 'inherit'] })
  const { promise: ready, resolve: onReady } = Promise.withResolvers<void>()
  const result = (async () => {
    for await (const line of createInterface({ input: client.stdout })) {
      const told = JSON.parse(line)
      if (told.ready) onReady()
      if (told.result) return told.result
    }
    throw new Error('the load client ended without a result')
  })()
  // Whoever waits for it to be ready learns it from the result as well.
  return {
    ready: Promise.race([ready, result.then(() => undefined)]),
    go: () => void client.stdin.write('go\n'),
    result,
  }
}

/** Starts one, lets it begin as soon as it is ready, and waits for its end. */
export async function runClient<Result = object>(job: LiveJob, onReady: () => void = () => undefined): Promise<Result> {
  const client = startClient<Result>(job)
  await client.ready
  onReady()
  client.go()
  return client.result
}

export async function withService<Result>(
  use: (service: Service) => Promise<Result>,
  env: Record<string, string> = {},
): Promise<Result> {
  const service = await startService(env)
  try {
    return await use(service)
  } finally {
    await service.stop()
    removeData(service)
  }
}

export function round(value: number): number {
  return Math.round(value * 1000) / 1000
}

/** The value of a metric of the service. */
export async function metric(service: Service, name: string): Promise<number> {
  const text = await (await service.get('/metrics')).text()
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)![1])
}
