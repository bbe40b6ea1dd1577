import type { SinkRow } from '../../src/catalog/destinations/destination.ts'
import { membersOf, typeOf, unquoted } from '../../src/kernel/members.ts'
import type { Random } from './random.ts'

/*
 * What a table should hold after any run of pages, worked out in the plainest way there is: pages one after the other,
 * rows one after the other, everything in memory.
 */

export type Mode = 'append' | 'insert_only' | 'upsert' | 'replace' | 'scd2'
export type OnDelete = 'ignore' | 'soft' | 'hard'

/** JSON texts by the columns' names. */
export type Cells = ReadonlyMap<string, string>

export interface ModelRow {
  readonly cells: Cells
  /** Of a version: whether it is current. Of a row that may be deleted softly: whether it is there. */
  readonly live: boolean
}

export interface Setup {
  readonly mode: Mode
  readonly keys: readonly string[]
  readonly onDelete: OnDelete
  readonly whole: boolean
}

export function createModel({ mode, keys, onDelete, whole }: Setup) {
  /** By key, each with its versions; of an append each row has a key of its own. */
  let table = new Map<string, ModelRow[]>()
  let staged = new Map<string, ModelRow[]>()
  let seen = new Set<string>()
  let rows = 0

  const keyOf = (cells: Cells) => (keys.length > 0 ? keys.map(key => plain(cells.get(key)!)).join('\0') : `#${rows++}`)
  const isSame = (a: Cells, b: Cells) =>
    [...new Set([...a.keys(), ...b.keys()])].every(name => (a.get(name) ?? 'null') === (b.get(name) ?? 'null'))

  function put(into: Map<string, ModelRow[]>, key: string, cells: Cells): void {
    const row = { cells, live: true }
    const versions = into.get(key) ?? []
    const last = versions.at(-1)
    if (mode === 'insert_only') {
      if (!last) into.set(key, [row])
    } else if (mode !== 'scd2') into.set(key, [row])
    else if (!last?.live || !isSame(last.cells, cells)) into.set(key, [...closed(versions), row])
  }

  function remove(from: Map<string, ModelRow[]>, key: string): void {
    if (mode === 'scd2') from.set(key, closed(from.get(key) ?? []))
    else if (mode === 'replace' || onDelete === 'hard') from.delete(key)
    else if (from.has(key)) from.set(key, closed(from.get(key)!))
  }

  return {
    beginRun(): void {
      staged = new Map()
      seen = new Set()
    },
    /** A page's rows, those left out that are refused. */
    page(page: readonly SinkRow[]): void {
      const into = mode === 'replace' ? staged : table
      for (const row of page) {
        const cells = row.op === 'delete' ? new Map([[keys[0]!, JSON.stringify(row.id)]]) : membersOf(row.data)
        if (row.op === 'delete') {
          if (keys.length > 0 && (onDelete !== 'ignore' || mode === 'replace')) remove(into, keyOf(cells))
          continue
        }
        const key = keyOf(cells)
        put(into, key, cells)
        seen.add(key)
      }
    },
    completeRun(): void {
      if (mode === 'replace') table = staged
      else if (onDelete !== 'ignore' && whole)
        for (const key of [...table.keys()]) if (!seen.has(key)) remove(table, key)
    },
    rows: () => [...table.values()].flat(),
  }
}

function closed(versions: readonly ModelRow[]): ModelRow[] {
  return versions.map(version => ({ ...version, live: false }))
}

/** A key as a deleted row's id has it. */
function plain(text: string): string {
  return typeOf(text) === 'string' ? unquoted(text) : text
}

/** Values of columns: a palette for each, so that columns become wider now and then and not at once. */
export function palettes(random: Random, mode: Mode): Map<string, readonly string[]> {
  const numbers = [
    '0',
    '1',
    '-7',
    '3000000000',
    '9007199254740993',
    '12345678901234567890123',
    '0.5',
    '-1.25',
    '0.1234567890123456789',
  ]
  const texts = ['""', '"x"', '"07"', '"it\'s \\"so\\""', '"漢字 😀"', '"a\\\\b\\nc"', '"null"']
  const objects = ['{}', '[]', '{"a":[1,null,"x"]}', '[{"b":true}]']
  const booleans = ['true', 'false']
  // As text, objects are spelled one way by the database and another way by the source: for versions they would differ.
  const mixed =
    mode === 'scd2'
      ? []
      : [
          [...objects, ...texts],
          [...objects, ...numbers],
        ]
  const kinds = [numbers, texts, objects, booleans, [...numbers, ...texts], [...booleans, ...numbers], ...mixed]
  const names = ['a', 'B b', 'order', 'ünï"c']
  return new Map(names.map(name => [name, sample(random, random.pick(kinds))]))
}

function sample(random: Random, values: readonly string[]): string[] {
  return Array.from({ length: 1 + random.int(5) }, () => random.pick(values))
}

/** Random rows: the key `id`, some of the columns, now and then a deleted one or one without its key. */
export function randomRows(
  random: Random,
  { keys }: Setup,
  values: ReadonlyMap<string, readonly string[]>,
  ids: readonly string[],
  at: () => number,
): { rows: SinkRow[]; good: SinkRow[] } {
  const rows: SinkRow[] = []
  const good: SinkRow[] = []
  for (let n = random.int(14); n > 0; n--) {
    const id = random.pick(ids)
    const members = [`"id":${id}`]
    for (const [name, choices] of values) {
      if (random.chance(0.7))
        members.push(`${JSON.stringify(name)}:${random.chance(0.2) ? 'null' : random.pick(choices)}`)
    }
    const isBad = random.chance(0.05)
    if (isBad) members[0] = keys.length > 0 ? `"id":null` : `"":${id}`
    const isGone = !isBad && random.chance(0.1)
    const row: SinkRow = {
      ...{ number: rows.length + 1, id: plain(id), at: at() },
      ...(isGone ? { op: 'delete', data: 'null' } : { op: 'upsert', data: `{${members.join(',')}}` }),
    }
    rows.push(row)
    if (!isBad) good.push(row)
  }
  return { rows, good }
}
