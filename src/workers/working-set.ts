import { followed, KEY_SEPARATOR, type Row, type Rows, type Table } from '../kernel/projection.ts'
import { PAGE_BYTES, rowBytes, type Store, type TableChange } from '../store/store.ts'
import type { RememberedRows } from './remembered-rows.ts'

/** The rows that some events touch, by table and key. */
export interface WorkingSet extends Rows {
  want: (table: Table, key: string) => void
  /** Reads the rows that were wanted, until they have `room` of text; tells how many it has read, and whether all. */
  load(store: Pick<Store, 'load'>, room: number): Promise<{ rows: number; all: boolean }>
  /** The rows that were put and those that they have followed, sorted by key: neighbours are written together. */
  changes(): TableChange[]
  /**
   * To be called once the changes are in the store: has the changed rows remembered. The texts of one that was only read
   * may be parts of a large one, which would stay with it.
   */
  remember(): void
  /** How much text there is in rows that others have followed: of one row there may be as many as there are events. */
  readonly followedBytes: number
}

interface Entry {
  readonly key: string
  row: Row | undefined
  changed: boolean
}

interface Part {
  readonly table: Table
  readonly entries: Map<string, Entry>
  /** All of them by key, while none has come since they were sorted. */
  sorted: readonly Entry[]
  /** The last one that was asked for: most events ask for the same row twice, or for that of the event before. */
  last: Entry | undefined
  /** Rows that others have followed, of one key in their order. */
  readonly followed: Entry[]
  readonly remembered: RememberedRows | undefined
}

/** `remembered`: rows that need not be read. */
export function workingSet(tables: readonly Table[], remembered?: ReadonlyMap<Table, RememberedRows>): WorkingSet {
  const parts = new Map<Table, Part>(
    tables.map(table => [
      table,
      {
        ...{ table, entries: new Map(), sorted: [], last: undefined, followed: [] },
        remembered: remembered?.get(table),
      },
    ]),
  )
  let followedBytes = 0

  function find(table: Table, key: string): Entry | undefined {
    const part = parts.get(table)!
    if (part.last?.key !== key) part.last = part.entries.get(key)
    return part.last
  }

  function findOrMake(table: Table, key: string): Entry {
    let entry = find(table, key)
    if (!entry) {
      entry = { key, row: undefined, changed: false }
      const part = parts.get(table)!
      part.entries.set(key, entry)
      part.last = entry
    }
    return entry
  }

  return {
    want: findOrMake,
    async load(store, room) {
      let [rows, bytes] = [0, 0]
      for (const part of parts.values()) {
        const wanted = unknown(part)
        for (let from = 0; from < wanted.length; ) {
          if (from > 0 && bytes >= room) return { rows, all: false }
          const found = await loadSome(store, part.table, wanted, from)
          rows += found.rows
          bytes += found.bytes
          from = found.next
        }
      }
      return { rows, all: true }
    },
    get: (table, key) => find(table, key)!.row,
    put(table, key, row, was) {
      const entry = findOrMake(table, key)
      const version = followed(table, was === undefined ? entry.row : was, row)
      if (version) {
        parts.get(table)!.followed.push({ key, row: version, changed: true })
        followedBytes += rowBytes(version)
      }
      entry.row = row
      entry.changed = true
    },
    changes: () => [...parts.values()].flatMap(changesOf),
    remember() {
      for (const { entries, remembered } of parts.values()) {
        if (remembered) for (const { key, row, changed } of entries.values()) if (changed) remembered.keep(key, row!)
      }
    },
    get followedBytes() {
      return followedBytes
    },
  }
}

/** The rows that have to be read, by key. */
function unknown(part: Part): readonly Entry[] {
  const { remembered } = part
  if (!remembered) return sort(part)
  return sort(part).filter(entry => {
    entry.row = remembered.get(entry.key)
    return entry.row === undefined
  })
}

function changesOf(part: Part): TableChange[] {
  const rows: Row[] = []
  for (const { row, changed } of sort(part)) if (changed) rows.push(row!)
  const changes = [{ table: part.table, rows }]
  const versions = part.followed.sort(byKey).map(({ row }) => row!)
  return versions.length === 0 ? changes : [...changes, { table: part.table.versions!, rows: versions }]
}

/** Reads rows that are wanted of a table, as many as the store gives at once; tells from where there may be more. */
async function loadSome(
  store: Pick<Store, 'load'>,
  table: Table,
  wanted: readonly Entry[],
  from: number,
): Promise<{ rows: number; bytes: number; next: number }> {
  const keys = wanted.slice(from).map(({ key }) => key.split(KEY_SEPARATOR))
  const found = await store.load(table, keys)
  let [bytes, at] = [0, 0]
  for (const row of found) {
    // Rows come in the order of their keys.
    while (!isKeyOf(table, keys[at]!, row)) at++
    wanted[from + at++]!.row = row
    bytes += rowBytes(row)
  }
  return { rows: found.length, bytes, next: bytes < PAGE_BYTES ? wanted.length : from + at }
}

function sort(part: Part): readonly Entry[] {
  if (part.sorted.length !== part.entries.size) part.sorted = [...part.entries.values()].sort(byKey)
  return part.sorted
}

function byKey(a: Entry, b: Entry): number {
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0
}

function isKeyOf({ key }: Table, parts: readonly string[], row: Row): boolean {
  for (let i = key.length - 1; i >= 0; i--) if (row[key[i]!] !== parts[i]) return false
  return true
}
