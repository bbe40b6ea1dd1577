import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { pino } from 'pino'
import type { RecordChanged } from '../../src/events/index.ts'
import { eachEvent } from '../../src/log/batch.ts'
import { createCodec } from '../../src/log/codec.ts'
import type { EventBatch, Log } from '../../src/log/log.ts'
import { recordsProjection } from '../../src/projections/records.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { startProjector } from '../../src/workers/projector.ts'
import { type Changes, type Faults, placeOf } from './audit.ts'
import { until } from './processes.ts'

/** Other pages than the live projector's: how events were cut into pages must not show. */
const PAGE = { maxEvents: 777, maxBytes: 300_000 }

/**
 * Rebuilds the read model from the first event into a fresh store, and compares: every table of the live one row by
 * row as text, and every change of `sync.changes` byte for byte with those of the rebuild, none missing, none more.
 */
export async function auditReadModel(log: Log, liveFile: string, changes: Changes): Promise<Faults> {
  const dir = mkdtempSync(join(tmpdir(), 'sync-rebuild-'))
  try {
    const file = join(dir, 'read.db')
    const rebuilt = await rebuild(log, file)
    return [...(await compareChanges(log, changes, rebuilt)), ...compareStores(liveFile, file)]
  } finally {
    rmSync(dir, { recursive: true })
  }
}

/** Folds the whole log into a fresh store. The outputs go nowhere but into the answer. */
async function rebuild(log: Log, file: string): Promise<EventBatch[]> {
  const outputs: EventBatch[] = []
  const store = openSqliteStore({ file })
  await store.declare(recordsProjection.tables)
  const ends = await log.ends('sync.records')
  const reached = new Map<string, number>()
  const projector = await startProjector({
    log: {
      ...log,
      own: async () => -1,
      append: async batches => {
        outputs.push(...batches)
        return { log: log.id, offsets: new Map() }
      },
    },
    store,
    projection: recordsProjection,
    outputTopic: 'sync.changes',
    outputType: 'RecordChanged',
    logger: pino({ level: 'silent' }),
    ...PAGE,
    onHolding: () => undefined,
    onProgress: (stream, through) => void reached.set(stream, through),
  })
  const done = () => [...ends].every(([stream, end]) => (reached.get(stream) ?? -1) >= end)
  await until('the read model to be rebuilt', done, 300_000)
  await projector.stop()
  await store.stop()
  return outputs
}

async function compareChanges(log: Log, live: Changes, rebuilt: readonly EventBatch[]): Promise<Faults> {
  const faults: Faults = []
  const codec = createCodec(log)
  let count = 0
  for (const { bytes } of rebuilt) {
    const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    eachEvent(bytes, (keyStart, valueStart, valueEnd) => {
      count++
      const place = placeOf(codec.decode(all.subarray(valueStart, valueEnd)).data as RecordChanged)
      const found = live.once.get(place)
      if (faults.length > 20) return
      if (!found) faults.push(`the change that follows from ${place} is lost`)
      else if (found.bytes !== all.toString('latin1', keyStart, valueEnd))
        faults.push(`the change that follows from ${place} differs from the rebuilt one`)
    })
  }
  if (count !== live.once.size) faults.push(`${live.once.size} changes in the log, ${count} in a rebuild`)
  return faults
}

/** Compares all tables of two read stores but their checkpoints, row by row, as text. */
export function compareStores(liveFile: string, rebuiltFile: string): Faults {
  const [live, rebuilt] = [new DatabaseSync(liveFile), new DatabaseSync(rebuiltFile)]
  try {
    const [tables, wanted] = [tablesOf(live), tablesOf(rebuilt)]
    if (JSON.stringify(tables) !== JSON.stringify(wanted)) return [`tables ${tables} instead of ${wanted}`]
    return wanted.flatMap(({ name }) => compareTables(name, rowsOf(live, name), rowsOf(rebuilt, name)))
  } finally {
    live.close()
    rebuilt.close()
  }
}

function tablesOf(db: DatabaseSync): { name: string; sql: string }[] {
  const sql = "select name, sql from sqlite_master where type = 'table' and name <> 'checkpoints' order by name"
  return db.prepare(sql).all() as { name: string; sql: string }[]
}

function* rowsOf(db: DatabaseSync, table: string): Generator<string> {
  const columns = db.prepare('select name from pragma_table_info(?)').all(table)
  const names = columns.map(({ name }) => `"${name}"`)
  const text = names.map(name => `quote(${name})`).join(" || ' | ' || ")
  for (const { row } of db.prepare(`select ${text} as row from "${table}" order by ${names}`).iterate()) yield `${row}`
}

function compareTables(table: string, live: Generator<string>, rebuilt: Generator<string>): Faults {
  const faults: Faults = []
  for (let rows = 0; faults.length < 5; rows++) {
    const [have, want] = [live.next(), rebuilt.next()]
    if (have.done && want.done) break
    if (have.value !== want.value) faults.push(`${table} row ${rows}: ${have.value} instead of ${want.value}`)
    if (have.done || want.done) break
  }
  return faults
}
