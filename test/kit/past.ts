import { KEY_SEPARATOR, type Row, type Table, versioned } from '../../src/kernel/projection.ts'
import type { Moment, PageQuery, Store } from '../../src/store/store.ts'
import { workingSet } from '../../src/workers/working-set.ts'
import { cut, type Random } from './random.ts'

/** A table that keeps its versions; its rows count from their events on, or from where `since` says. */
export function pastTable(name: string, since = false): Table & { versions: Table } {
  const place = { stream: 'text', offset: 'integer' } as const
  const columns = { owner: 'text', id: 'text', kind: 'text', data: 'text', count: 'integer', ...place } as const
  if (!since) return versioned({ name, columns, key: ['owner', 'id'], fixed: ['kind'] })
  const from = { from_stream: 'text', from_offset: 'integer' } as const
  const table = { name, columns: { ...columns, ...from }, key: ['owner', 'id'], fixed: ['kind'] }
  return versioned({ ...table, since: ['from_stream', 'from_offset'] as const })
}

/** Events of a past, each with the row it makes, of one stream in the order of their offsets. */
export function randomPast(
  random: Random,
  streams: readonly string[],
  count: number,
  ids: number,
  since: boolean,
): Row[] {
  const ends = new Map<string, number>()
  const last = new Map<string, Row>()
  return Array.from({ length: count }, () => {
    const id = random.int(ids)
    const stream = streams[id % streams.length]!
    const offset = (ends.get(stream) ?? -1) + 1 + random.int(3)
    ends.set(stream, offset)
    const key = `r${String(id).padStart(5, '0')}`
    const owner = `o${id % 2}`
    const first = !last.has(key)
    const row: Row = {
      ...{ owner, id: key, kind: `k${id % 3}`, data: `{"n":${random.int(4)}}`, count: random.int(3), stream, offset },
      // A row's first one counts from a place in another stream on, a while before its event.
      ...(since
        ? { from_stream: first ? 'other-0' : null, from_offset: first ? Math.max(0, offset - random.int(5)) : null }
        : {}),
    }
    last.set(key, row)
    return row
  })
}

/** Writes a past as a projector does: in batches, over what is there. */
export async function writePast(
  store: Store,
  table: Table & { versions: Table },
  past: readonly Row[],
  projection: string,
  random: Random,
): Promise<void> {
  for (const stream of new Set(past.map(row => row.stream as string))) {
    const { epoch } = await store.claim(projection, stream)
    const ofStream = past.filter(row => row.stream === stream)
    for (const batch of cut(ofStream, 1 + Math.floor(ofStream.length / 3), random)) {
      const working = workingSet([table, table.versions])
      const keyOf = (row: Row) => [row.owner, row.id].join(KEY_SEPARATOR)
      for (const row of batch) working.want(table, keyOf(row))
      await working.load(store, Number.POSITIVE_INFINITY)
      for (const row of batch) working.put(table, keyOf(row), row)
      await store.commit(working.changes(), { projection, stream, epoch, offset: batch.at(-1)!.offset as number })
    }
  }
}

/** The rows as a moment has left them, worked out the simple way, in the order of their ids. */
export function pastAt(past: readonly Row[], moment: Moment): Row[] {
  const rows = new Map<string, Row>()
  for (const row of past) {
    const [stream, offset] = [row.from_stream ?? row.stream, row.from_offset ?? row.offset] as [string, number]
    if (offset <= (moment.get(stream) ?? -1)) rows.set(row.id as string, row)
  }
  return [...rows.values()].sort((a, b) => ((a.id as string) < (b.id as string) ? -1 : 1))
}

/** What a page has of such rows. */
export function pageOfPast(rows: readonly Row[], query: Omit<PageQuery, 'table'>): Row[] {
  const { equal, after, upTo, fields = [], limit, newest, offset = 0 } = query
  const fitting = rows.filter(
    row =>
      Object.entries(equal).every(([column, value]) => row[column] === value) &&
      (after === undefined || (row.id as string) > after) &&
      (upTo === undefined || (row.id as string) <= upTo) &&
      fields.every(({ field, value }) => JSON.parse(row.data as string)[field] === value),
  )
  if (!newest) return fitting.slice(offset, offset + limit)
  const end = fitting.length - offset
  return fitting.slice(Math.max(0, end - limit), Math.max(0, end))
}
