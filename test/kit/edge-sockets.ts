import { App, us_listen_socket_close, us_socket_local_port } from 'uWebSockets.js'
import { readTopics } from '../../src/adapters.ts'
import { readConfig } from '../../src/config.ts'
import { createLimits } from '../../src/edge/limits.ts'
import type { Services } from '../../src/edge/services.ts'
import { createLive } from '../../src/edge/socket/live.ts'
import { serveSockets } from '../../src/edge/socket/sockets.ts'
import { type ConflictTold, type RecordChanged, schemas } from '../../src/events/index.ts'
import { partitionOf } from '../../src/kernel/hash.ts'
import { batchWriter } from '../../src/log/batch.ts'
import { type Codec, createCodec } from '../../src/log/codec.ts'
import type { EventBatch, Log } from '../../src/log/log.ts'
import { recordKey } from '../../src/projections/records.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import type { Target } from './api.ts'

/** The sockets of an edge over a log, with nothing around them: what they tell of is written to the log by the test. */
export interface EdgeSockets {
  readonly services: Services
  readonly codec: Codec
  /** Where they listen; any token will do. */
  readonly target: Target
  stop(): Promise<void>
}

export async function edgeSockets(log: Log, env: Record<string, string> = {}): Promise<EdgeSockets> {
  await log.declare(readTopics(), schemas)
  const codec = createCodec(log)
  // The records that changes follow from are in no log here: any place of theirs is one.
  const seen: Log = Object.assign(Object.create(log), { written: async () => Number.MAX_SAFE_INTEGER })
  const parts = {
    ...{ log: seen, codec, logger: createLogger('silent'), metrics: createMetrics(), limits: createLimits() },
    config: readConfig({ RATE_LIMIT_WS: '0', ...env }),
    access: { view: { revokedTokens: new Set(), revokedFamilies: new Set(), deletedClients: new Set() } },
    tokens: { verify: () => ({ clientId: 'cli_1', scopes: ['sync:read'], expiresAt: Number.POSITIVE_INFINITY }) },
    health: { stopping: false },
    store: { load: async () => [] },
    progress: { reached: new Map(), wait: async () => undefined },
  } as unknown as Services
  const services = { ...parts, live: createLive(parts) }
  const app = App()
  const sockets = serveSockets(app, services)
  const listening = await new Promise<Parameters<typeof us_listen_socket_close>[0]>(resolve =>
    app.listen('127.0.0.1', 0, socket => resolve(socket as never)),
  )
  return {
    services,
    codec,
    target: { url: `http://127.0.0.1:${us_socket_local_port(listening)}/v1/sync`, token: 'any' },
    async stop() {
      await sockets.stop()
      us_listen_socket_close(listening)
      await log.stop()
    },
  }
}

/** What one record's event gives. */
export interface Given {
  readonly dataset: string
  readonly id: string
  readonly change?: Partial<RecordChanged>
  readonly news?: Partial<ConflictTold>
}

/** Makes what projectors would append to `sync.changes`, with sources that count up in each stream. */
export function changeMaker(log: Log, codec: Codec) {
  const offsets = new Map<string, number>()
  return ({ dataset, id, change, news }: Given): EventBatch => {
    const key = recordKey(dataset, id)
    const streams = log.streams('sync.records')
    const { name } = streams[partitionOf(Buffer.from(key), streams.length)]!
    const source_offset = (offsets.get(name) ?? -1) + 1
    offsets.set(name, source_offset)
    const about = { dataset, id, source_stream: name, source_offset, job_id: null }
    const writer = batchWriter(1024)
    if (change) {
      const event: RecordChanged = {
        ...{ ...about, operation: 'create', version: 1, changes: '{"n":{"old":null,"new":1}}', source: 'till' },
        ...{ changed_at: 1_750_000_000_000, told_more: news !== undefined, removed: [], ...change },
      }
      writer.add(Buffer.from(key), (buffer, at) => codec.write('RecordChanged', event, buffer, at))
    }
    if (news) {
      const event: ConflictTold = {
        ...{ ...about, conflict_id: `conf_${source_offset}`, news: 'detected', conflict_type: 'version' },
        ...{ resolution_required: true, resolution: null, told_at: 1_750_000_000_000, ...news },
      }
      writer.add(Buffer.from(key), (buffer, at) => codec.write('ConflictTold', event, buffer, at))
    }
    return writer.take('sync.changes')!
  }
}
