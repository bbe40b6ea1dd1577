import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** What the service counts. The first two names are the API's; the rest tell how it is doing inside. */
export function createMetrics() {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  const metrics = {
    registry,
    operations: new Counter({
      name: 'sync_operations_total',
      help: 'Total sync operations',
      labelNames: ['connector', 'status'],
      registers,
    }),
    latency: new Histogram({
      name: 'sync_latency_seconds',
      help: 'Sync operation latency',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      registers,
    }),
    ingested: new Counter({
      name: 'sync_ingest_records_total',
      help: 'Records taken in, by what became of them',
      labelNames: ['result'],
      registers,
    }),
    ingestedBytes: new Counter({ name: 'sync_ingest_bytes_total', help: 'Bytes of pushed records', registers }),
    projected: new Counter({ name: 'sync_projected_events_total', help: 'Events put into the read model', registers }),
    conflicts: new Counter({
      name: 'sync_conflicts_total',
      help: 'Pushed records that conflicted with the one that was there, by type and policy',
      labelNames: ['type', 'policy'],
      registers,
    }),
    lag: new Gauge({
      name: 'sync_projection_lag_events',
      help: 'Events of a stream that are not yet projected, or decided',
      labelNames: ['stream'],
      registers,
    }),
    rebuild: new Gauge({
      name: 'sync_projection_rebuild_percent',
      help: 'How much of a rebuild is done that this process is at',
      labelNames: ['projection'],
      registers,
    }),
    rebuildDifferences: new Counter({
      name: 'sync_projection_rebuild_differing_rows_total',
      help: 'Live rows that a rebuild by the same version found otherwise than the events make them',
      labelNames: ['projection'],
      registers,
    }),
    lastCommit: new Gauge({
      name: 'sync_last_commit_timestamp_seconds',
      help: 'When work on a stream that this process holds was last committed',
      labelNames: ['stream'],
      registers,
    }),
    rebalances: new Gauge({
      name: 'sync_log_rebalances',
      help: 'How often this process was told which streams it holds',
      labelNames: ['part'],
      registers,
    }),
    producerRetries: new Gauge({
      name: 'sync_log_producer_retries',
      help: 'How often an append was sent to the brokers again',
      labelNames: ['part'],
      registers,
    }),
    redisUp: new Gauge({
      name: 'sync_redis_up',
      help: '1 while limits and idempotency keys are shared through Redis, 0 while it is lost and each edge has its own',
      registers,
    }),
    idempotency: new Counter({
      name: 'sync_idempotency_total',
      help: 'Pushes under a key that was known: replayed, conflict (it was running), mismatch (another body)',
      labelNames: ['result'],
      registers,
    }),
    keysDropped: new Counter({
      name: 'sync_idempotency_dropped_total',
      help: 'Kept answers dropped before their time, because MAX_IDEMPOTENCY_BYTES was reached',
      registers,
    }),
    sockets: new Gauge({ name: 'sync_websocket_connections', help: 'Open WebSockets', registers }),
    streams: new Gauge({ name: 'sync_sse_connections', help: 'Open event streams', registers }),
    subscriptions: new Gauge({ name: 'sync_websocket_subscriptions', help: 'Live subscriptions', registers }),
    deliveries: new Counter({
      name: 'sync_websocket_messages_total',
      help: 'Changes encoded for subscribers',
      registers,
    }),
    resyncs: new Counter({ name: 'sync_websocket_resyncs_total', help: 'Slow subscribers told to resync', registers }),
    requests: new Counter({
      name: 'sync_http_requests_total',
      help: 'HTTP requests by route and status',
      labelNames: ['route', 'status'],
      registers,
    }),
    /** Counts what a rebuild has found; it is not under way any more. */
    rebuilt({ projection, differing }: { projection: string; differing: number }): void {
      metrics.rebuild.remove({ projection })
      metrics.rebuildDifferences.inc({ projection }, differing)
    },
    /** Counts what has been taken in. */
    taken({ accepted, rejected, bytes }: { accepted: number; rejected: number; bytes: number }): void {
      metrics.ingested.inc({ result: 'accepted' }, accepted)
      metrics.ingested.inc({ result: 'rejected' }, rejected)
      metrics.ingestedBytes.inc(bytes)
    },
  }
  return metrics
}

export type Metrics = ReturnType<typeof createMetrics>
