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
    // Without one limits are kept in this process, which cannot be lost. One that is lost does not stop the edge.
    redis: healthy(services.redis?.up ?? true),
    connectors: 'healthy',
    log: healthy(log),
  }
  const status = good && components.redis === 'unhealthy' ? 'degraded' : healthy(good)
  return { good, stalled, body: { status, components, version: '1.0.0' } }
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
  // A stream that has gone to another process is not told of any more.
  lag.reset()
  for (const [stream, events] of measured) lag.set({ stream }, events)
  return { status: 200, headers: { 'Content-Type': registry.contentType }, body: await registry.metrics() }
})

export const healthRoutes: readonly Route<Probes>[] = [health, live, ready, metrics]
