import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import type { Sink, SinkRow } from '../../../../src/catalog/destinations/destination.ts'
import { membersOf } from '../../../../src/kernel/members.ts'
import { property, type Random } from '../../../kit/random.ts'
import { createModel, type Mode, type ModelRow, palettes, randomRows, type Setup } from '../../../kit/sink-model.ts'
import {
  holdsValue,
  openSink,
  postgresDatabase,
  type SinkDatabase,
  sqliteDatabase,
  writePage,
} from '../../../kit/sinks.ts'

const server = inject('postgres')
const MODES: readonly Mode[] = ['append', 'insert_only', 'upsert', 'replace', 'scd2']
const IDS = [
  ['1', '2', '3', '4', '5', '6'],
  ['"a"', '"b"', '"ç"', '"A"'],
  ['1', '2', '9007199254740993', '"x"', '"y"'],
  ['0.5', '7', '12345678901234567890'],
]

function randomSetup(random: Random): Setup {
  const mode = random.pick(MODES)
  const keyed = mode !== 'append' && (mode !== 'replace' || random.chance(0.5))
  const onDelete = mode === 'upsert' || mode === 'scd2' ? random.pick(['ignore', 'soft', 'hard'] as const) : 'ignore'
  return { mode, keys: keyed ? ['id'] : [], onDelete, whole: random.chance(0.7) }
}

/** Random runs against a table: pages that come again, runners that die at every point, others that come too late. */
async function play(random: Random, there: SinkDatabase, table: string): Promise<void> {
  const setup = randomSetup(random)
  const { mode, keys, onDelete, whole } = setup
  const destination = {
    type: 'database',
    url: there.url,
    table,
    mode,
    on_delete: onDelete,
    ...(keys.length > 0 && { key_columns: keys }),
  }
  const model = createModel(setup)
  const values = palettes(random, mode)
  const ids = random.pick(IDS)
  let clock = 1000
  const zombies: { sink: Sink; pages: { number: number; rows: SinkRow[] }[] }[] = []
  const known: { number: number; rows: SinkRow[] }[] = []
  let number = 0

  for (let run = 1; run <= 1 + random.int(4); run++) {
    const runId = `run_${run}`
    const open = (signal = new AbortController().signal) => openSink(destination, { runId, whole, signal })
    let sink = await open()
    model.beginRun()
    const pages = 1 + random.int(5)
    for (let page = 0; page < pages; page++) {
      const { rows, good } = randomRows(random, setup, values, ids, () => (clock += 1000))
      known.push({ number: ++number, rows })
      if (random.chance(0.15)) {
        // It dies after it has told of what is refused, if there is anything.
        const stopping = new AbortController()
        await sink.stop()
        sink = await open(stopping.signal)
        const writing = sink.write({ number, rows }, async () => stopping.abort(new Error('killed')))
        await writing.catch(error => expect(error.message).toBe('killed'))
        await sink.stop()
        sink = await open()
      }
      const refused = await writePage(sink, number, rows)
      const isIn = refused.length === rows.length - good.length || refused.length === 0
      expect(isIn, `refused: ${refused.map(({ message }) => message).join('; ')}`).toBe(true)
      model.page(good)
      if (random.chance(0.15)) {
        if (random.chance(0.5)) zombies.push({ sink, pages: [...known] })
        else await sink.stop()
        sink = await open()
        expect(sink.checkpoint).toEqual({ runId, number })
      }
      // Pages of before come again, from this one or another.
      for (const again of known.slice(-3)) if (random.chance(0.1)) await writePage(sink, again.number, again.rows)
      for (const zombie of zombies)
        if (random.chance(0.3)) {
          const late = random.pick(zombie.pages)
          await writePage(zombie.sink, late.number, late.rows)
        }
    }
    if (random.chance(0.8)) {
      await sink.complete()
      model.completeRun()
      if (random.chance(0.3)) await sink.complete()
    }
    await sink.stop()
  }
  for (const { sink } of zombies) await sink.stop()
  await compare(there, table, setup, model.rows())
}

async function compare(
  there: SinkDatabase,
  table: string,
  { mode, onDelete }: Setup,
  expected: readonly ModelRow[],
): Promise<void> {
  if ((await there.columns(table)).length === 0) return expect(expected).toEqual([])
  const order = mode === 'scd2' ? ' order by valid_from' : ''
  const rows = (await there.rows(`select * from "${table}"${order}`)).map(membersOf)
  const left = [...rows]
  for (const { cells, live } of expected) {
    const at = left.findIndex(row => isHeld(row, cells) && isLive(row) === live)
    const shown = [...cells].map(([name, value]) => `${name}: ${value}`).join(', ')
    expect(
      at,
      `{${shown}} ${live ? '' : '(gone) '}is not in ${rows.map(row => JSON.stringify([...row])).join('\n')}`,
    ).not.toBe(-1)
    left.splice(at, 1)
  }
  expect(left.map(row => JSON.stringify([...row]))).toEqual([])

  function isLive(row: Map<string, string>): boolean {
    if (mode === 'scd2') return row.get('is_current') === 'true'
    return onDelete !== 'soft' || row.get('deleted_at') === 'null'
  }
  function isHeld(row: Map<string, string>, cells: ModelRow['cells']): boolean {
    const own = new Set(['valid_from', 'valid_to', 'is_current', 'deleted_at'])
    return [...row].every(([name, value]) => own.has(name) || holdsValue(cells.get(name) ?? 'null', value))
  }
}

describe.each(['sqlite', 'postgres'] as const)('any pages, runs and crashes, in %s', name => {
  const isThere = name === 'sqlite' || server !== undefined
  let there: SinkDatabase
  beforeAll(async () => {
    if (isThere) there = name === 'sqlite' ? sqliteDatabase() : await postgresDatabase(server!)
  })
  afterAll(() => there?.end())

  it.skipIf(!isThere)('leave what they should', async () => {
    let table = 0
    await property(Number(process.env.PLAYS ?? (name === 'sqlite' ? 80 : 40)), random =>
      play(random, there, `m${++table}`),
    )
  })
})
