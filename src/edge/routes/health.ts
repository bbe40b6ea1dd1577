import type { Request, Route } from '../router.ts'
import type { Probes } from '../services.ts'

function probe(path: string, handle: Route<Probes>['handle']): Route<Probes> {
  return { method: 'GET', path, auth: 'none', limit: 'free', handle }
}

function healthy(good: boolean): 'healthy' | 'unhealthy' {
  return good ? 'healthy' : 'unhealthy'
}

async function report({ services }: Request<Probes>) {
  const { log, works, stalled } = await services.health.check()
  const good = log && works && !services.health.stopping
  const components = {
    database: healthy(works),
    // Limits and idempotency are kept in this process: there is no Redis that could fail.
    redis: 'healthy',
    connectors: 'healthy',
    log: healthy(log),
  }
  return { good, stalled, body: { status: healthy(good), components, version: '1.0.0' } }
}

const health = probe('/health', async request => ({ status: 200, body: (await report(request)).body }))

const live = probe('/health/live', () => ({ status: 200, body: { status: 'alive' } }))

const ready = probe('/health/ready', async request => {
  const { good, stalled, body } = await report(request)
  const lag = await request.services.health.lag().catch(() => new Map())
  return { status: good ? 200 : 503, body: { ...body, ready: good, lag: Object.fromEntries(lag), stalled } }
})

const metrics = probe('/metrics', async ({ services }) => {
  const { registry, lag } = services.metrics
  const measured = await services.health.lag().catch(() => new Map<string, number>())
  for (const [stream, events] of measured) lag.set({ stream }, events)
  return { status: 200, headers: { 'Content-Type': registry.contentType }, body: await registry.metrics() }
})

export const healthRoutes: readonly Route<Probes>[] = [health, live, ready, metrics]
