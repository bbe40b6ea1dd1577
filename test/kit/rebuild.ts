import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Client } from 'pg'
import { pino } from 'pino'
import type { ConflictDetected, ConflictTold, RecordChanged } from '../../src/events/index.ts'
import type { Table } from '../../src/kernel/projection.ts'
import { alone } from '../../src/log/alone.ts'
import { eachEvent } from '../../src/log/batch.ts'
import { createCodec } from '../../src/log/codec.ts'
import type { EventBatch, Log } from '../../src/log/log.ts'
import { conflictsProjection } from '../../src/projections/conflicts.ts'
import type { AnyProjection } from '../../src/projections/index.ts'
import { recordsProjection } from '../../src/projections/records.ts'
import { allTables } from '../../src/store/generations.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import type { Store } from '../../src/store/store.ts'
import { startProjector } from '../../src/workers/projector.ts'
import { type Changes, type Faults, placeOf } from './audit.ts'
import { until } from './processes.ts'

/** Other pages than the live projector's: how events were cut into pages must not show. */
const PAGE = { maxEvents: 777, maxBytes: 300_000 }

/**
 * Rebuilds the read model from the first event into a fresh store, and compares: every table of the live one (a SQLite
 * file or a PostgreSQL URL) row by row as text, and every change and conflict byte for byte with those of the rebuild, none missing, none more.
 */
export async function auditReadModel(log: Log, live: string, changes: Changes): Promise<Faults> {
  const dir = mkdtempSync(join(tmpdir(), 'sync-rebuild-'))
  try {
    const file = join(dir, 'read.db')
    const rebuilt = await rebuild(log, file)
    return [...(await compareChanges(log, changes, rebuilt)), ...(await compareStores(live, file))]
  } finally {
    rmSync(dir, { recursive: true })
  }
}

/** What records and their conflicts are read from. */
const PROJECTIONS: readonly AnyProjection[] = [recordsProjection, conflictsProjection]
const TABLES = allTables(PROJECTIONS.flatMap(({ tables }) => tables))

/** Folds the whole log into a fresh store. The outputs go nowhere but into the answer. */
async function rebuild(log: Log, file: string): Promise<EventBatch[]> {
  const outputs: EventBatch[] = []
  const store = openSqliteStore({ file })
  await store.declare(TABLES)
  for (const projection of PROJECTIONS) outputs.push(...(await fold(log, store, projection)))
  await store.stop()
  return outputs
}

async function fold(log: Log, store: Store, projection: AnyProjection): Promise<EventBatch[]> {
  const outputs: EventBatch[] = []
  const ends = await log.ends(projection.topics[0]!)
  const reached = new Map<string, number>()
  const projector = await startProjector({
    log: {
      ...log,
      own: async () => -1,
      share: (_group, topic, onStreams) => alone(log.streams(topic), onStreams),
      append: async batches => {
        outputs.push(...batches)
        return { log: log.id, offsets: new Map() }
      },
    },
    store,
    projection,
    logger: pino({ level: 'silent' }),
    ...PAGE,
    onHolding: () => undefined,
    onProgress: (stream, through) => void reached.set(stream, through),
  })
  const done = () => [...ends].every(([stream, end]) => (reached.get(stream) ?? -1) >= end)
  await until(`${projection.name} to be rebuilt`, done, 300_000)
  await projector.stop()
  return outputs
}

async function compareChanges(log: Log, live: Changes, rebuilt: readonly EventBatch[]): Promise<Faults> {
  const faults: Faults = []
  const codec = createCodec(log)
  const changes = new Map([...live.once].map(([place, { bytes }]) => [place, bytes]))
  const told = { RecordChanged: changes, ConflictTold: live.news, ConflictDetected: live.conflicts }
  const counts = { RecordChanged: 0, ConflictTold: 0, ConflictDetected: 0 }
  for (const { bytes } of rebuilt) {
    const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    eachEvent(bytes, (keyStart, valueStart, valueEnd) => {
      const decoded = codec.decode(all.subarray(valueStart, valueEnd))
      const type = decoded.type as keyof typeof told
      const place = placeOf(decoded.data as RecordChanged | ConflictTold | ConflictDetected)
      const found = told[type].get(place)
      counts[type]++
      if (faults.length > 20) return
      if (!found) faults.push(`the ${type} that follows from ${place} is lost`)
      else if (found !== all.toString('latin1', keyStart, valueEnd))
        faults.push(`the ${type} that follows from ${place} differs from the rebuilt one`)
    })
  }
  for (const [type, { size }] of Object.entries(told)) {
    const count = counts[type as keyof typeof told]
    if (count !== size) faults.push(`${size} of ${type} in the log, ${count} in a rebuild`)
  }
  return faults
}

/** Compares all tables of two read models but their checkpoints, row by row, as text. */
export async function compareStores(live: string, rebuilt: string): Promise<Faults> {
  const faults: Faults = []
  for (const table of TABLES) {
    const [have, want] = [await rowsOf(live, table), await rowsOf(rebuilt, table)]
    for (let row = 0; row < Math.max(have.length, want.length) && faults.length < 5; row++) {
      if (have[row] !== want[row]) faults.push(`${table.name} row ${row}: ${have[row]} instead of ${want[row]}`)
    }
  }
  return faults
}

/** The rows of a table in a SQLite file or a PostgreSQL database, in the order of their keys, as text. */
async function rowsOf(where: string, table: Table): Promise<string[]> {
  const columns = Object.keys(table.columns).map(name => `"${name}"`)
  const sql = (schema: string, order: string) => {
    const keys = table.key.map(key => `"${key}" ${table.columns[key] === 'text' ? order : ''}`)
    return `select ${columns} from ${schema}"${table.name}" order by ${keys}`
  }
  if (!where.startsWith('postgres:')) {
    const db = new DatabaseSync(where)
    const rows = db
      .prepare(sql('', ''))
      .all()
      .map(row => JSON.stringify(Object.values(row)))
    db.close()
    return rows
  }
  const client = new Client({ connectionString: where })
  await client.connect()
  const { rows } = await client.query({ text: sql('superinsight.', 'collate "C"'), rowMode: 'array' })
  await client.end()
  const isNumber = Object.values(table.columns).map(type => type === 'integer')
  return rows.map(row =>
    JSON.stringify(
      row.map((value: string | null, i: number) => (isNumber[i] && value !== null ? Number(value) : value)),
    ),
  )
}
