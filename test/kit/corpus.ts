import type { Fixture } from '../../scripts/make-fixtures.ts'
import { readTopics } from '../../src/adapters.ts'
import { type Events, schemas, topicOf } from '../../src/events/index.ts'
import type { Row } from '../../src/kernel/projection.ts'
import { batchWriter } from '../../src/log/batch.ts'
import type { Log } from '../../src/log/log.ts'
import { openMemoryLog } from '../../src/log/memory.ts'
import { type AnyProjection, projections } from '../../src/projections/index.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import type { Store } from '../../src/store/store.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { startProjector } from '../../src/workers/projector.ts'
import { until } from './processes.ts'

/** An event as a version wrote it: its Avro body in hex. */
export interface CorpusEvent {
  readonly type: string
  readonly key: string
  readonly avro: string
}

export type CorpusRows = Record<string, Row[]>

/** Events of an older version in a log that knows them by the schemas they were written with, and today's besides. */
async function logOf(known: readonly Fixture[], events: readonly CorpusEvent[]): Promise<Log> {
  const log = openMemoryLog()
  await log.declare(readTopics(), Object.fromEntries(known.map(({ name, schema }) => [name, schema])))
  const ids = new Map(known.map(({ name }) => [name, log.schemaId(name)]))
  for (const { type, key, avro } of events) {
    const head = Buffer.alloc(5)
    head.writeUInt32BE(ids.get(type)!, 1)
    const value = Buffer.concat([head, Buffer.from(avro, 'hex')])
    const writer = batchWriter()
    writer.add(Buffer.from(key), (buffer, at) => {
      if (at + value.length <= buffer.length) value.copy(buffer, at)
      return at + value.length
    })
    await log.append([writer.take(topicOf[type as keyof Events])!])
  }
  await log.declare([], schemas)
  return log
}

/** Projects them with today's code; gives the rows of each table in the order of their keys. */
export async function replayCorpus(known: readonly Fixture[], events: readonly CorpusEvent[]): Promise<CorpusRows> {
  const log = await logOf(known, events)
  const store = openSqliteStore({ file: ':memory:', cacheMb: 4 })
  const rows: CorpusRows = {}
  // One after the other: what one puts out comes before the next one reads it, each time in the same place.
  for (const projection of projections) {
    await store.declare(projection.tables)
    await project(log, store, projection)
    for (const table of projection.tables) {
      const all = await store.page({ table, equal: {}, limit: 10_000 })
      const keyed = all.map(row => [JSON.stringify(table.key.map(column => row[column])), row] as const)
      rows[table.name] = keyed.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => ({ ...row }))
    }
  }
  await store.stop()
  await log.stop()
  return rows
}

async function project(log: Log, store: Store, projection: AnyProjection): Promise<void> {
  const ends = new Map((await Promise.all(projection.topics.map(topic => log.ends(topic)))).flatMap(all => [...all]))
  const reached = new Map<string, number>()
  const projector = await startProjector({
    ...{ log, store, projection, logger: createLogger('warn'), maxEvents: 7, maxBytes: 1_000_000 },
    onHolding: () => undefined,
    onProgress: (stream, through) => void reached.set(stream, through),
  })
  await until('all to be projected', () => [...ends].every(([stream, end]) => (reached.get(stream) ?? -1) >= end))
  await projector.stop()
}
