import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { openLog, readTopics } from '../src/adapters.ts'
import { readConfig } from '../src/config.ts'
import { schemas } from '../src/events/index.ts'
import type { Rows } from '../src/kernel/projection.ts'
import type { Log } from '../src/log/log.ts'
import { datasetQuality } from '../src/projections/quality.ts'
import { recordsProjection } from '../src/projections/records.ts'
import { openSqliteStore } from '../src/store/sqlite.ts'
import { startProjector } from '../src/workers/projector.ts'
import { fillRecords } from './fill.ts'
import { median, ratio } from './measure.ts'

const ROUNDS = 3
const LOOK_AGAIN_MS = 20
const TOPIC = 'sync.records'

/** The projection, but of what it counts for the score: its rows seem to be from before there were scores. */
const uncounted: typeof recordsProjection = {
  ...recordsProjection,
  tables: recordsProjection.tables.filter(table => table !== datasetQuality && table !== datasetQuality.versions),
  wants: (source, want) =>
    recordsProjection.wants(source, (table, key) => table !== datasetQuality && want(table, key)),
  evolve(rows, ...rest) {
    const without: Rows = {
      get: (table, key) => (table === datasetQuality ? undefined : rows.get(table, key)),
      put: (table, ...row) => table !== datasetQuality && rows.put(table, ...row),
    }
    recordsProjection.evolve(without, ...rest)
  },
}

/** CPU seconds of this process until a projection has taken a whole log into a fresh SQLite file. */
async function project(log: Log, projection: typeof recordsProjection): Promise<number> {
  const dir = mkdtempSync(join(tmpdir(), 'sync-bench-'))
  const store = openSqliteStore({ file: join(dir, 'read.db') })
  try {
    await store.declare(projection.tables)
    const ends = await log.ends(TOPIC)
    const reached = new Map<string, number>()
    const begun = process.cpuUsage()
    const projector = await startProjector({
      ...{ log: { ...log, own: async () => -1 }, store, projection },
      ...{ logger: pino({ level: 'silent' }), maxEvents: 50_000, maxBytes: 16 * 1024 * 1024 },
      onHolding: () => undefined,
      onProgress: (stream, through) => void reached.set(stream, through),
    })
    while ([...ends].some(([stream, end]) => (reached.get(stream) ?? -1) < end))
      await new Promise(resolve => setTimeout(resolve, LOOK_AGAIN_MS))
    const { user, system } = process.cpuUsage(begun)
    await projector.stop()
    return (user + system) / 1e6
  } finally {
    await store.stop()
    rmSync(dir, { recursive: true })
  }
}

/**
 * CPU microseconds a record of projecting with and without the score, in turns, and the one as a multiple
 * of the other. Reading the log, telling the changes and writing the rows are in both.
 */
export async function costOfProjection(records: number, keys: number) {
  const dir = mkdtempSync(join(tmpdir(), 'sync-bench-'))
  const env = { DATA_DIR: dir }
  await fillRecords(env, records, keys)
  const log = await openLog(readConfig(env))
  try {
    await log.declare(readTopics(), schemas)
    // What is told goes nowhere: it is the same on both sides.
    const quiet: Log = { ...log, append: async () => ({ log: log.id, offsets: new Map() }) }
    const [counted, plain]: [number[], number[]] = [[], []]
    for (let round = 0; round < ROUNDS; round++) {
      plain.push(await project(quiet, uncounted))
      counted.push(await project(quiet, recordsProjection))
    }
    const us = (seconds: number[]) => Math.round((median(seconds) / records) * 1e8) / 100
    return { us: us(counted), plain_us: us(plain), ratio: ratio(us(counted), us(plain)) }
  } finally {
    await log.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}
