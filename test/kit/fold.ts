import { followed, type Projection, type Row, type Rows, type Source, type Table } from '../../src/kernel/projection.ts'
import { cut, type Random } from './random.ts'

/** An event with its type and the place it was read from. */
export interface Sourced {
  readonly type: string
  readonly event: object
  readonly source: Source
}

// biome-ignore lint/suspicious/noExplicitAny: each projection knows its own events
type AnyProjection = Projection<any>

/**
 * A store's tables as maps, for a projection without outputs. A batch sees the rows that it asked for and what it has put,
 * and no others.
 */
export function foldedTables(projection: AnyProjection) {
  const tables = new Map<string, Map<string, Row>>(projection.tables.map(({ name }) => [name, new Map()]))
  const keep = ({ name, columns }: Table, key: string, row: Row) =>
    tables.get(name)!.set(key, Object.fromEntries(Object.keys(columns).map(column => [column, row[column]!])))
  return {
    fold(batch: readonly Sourced[]): void {
      const seen = new Map<string, Row | undefined>()
      const place = (table: Table, key: string) => JSON.stringify([table.name, key])
      for (const { source } of batch) {
        projection.wants(source, (table, key) => seen.set(place(table, key), tables.get(table.name)!.get(key)))
      }
      const rows: Rows = {
        get(table, key) {
          if (!seen.has(place(table, key))) throw new Error(`${place(table, key)} was not asked for`)
          return seen.get(place(table, key))
        },
        put(table, key, row, was) {
          const columns = Object.keys(table.columns)
          if (columns.some(column => row[column] === undefined)) throw new Error(`${place(table, key)} lacks a column`)
          const version = followed(table, was === undefined ? seen.get(place(table, key)) : was, row)
          if (version) keep(table.versions!, `${key}@${version.offset}`, version)
          seen.set(place(table, key), row)
          keep(table, key, row)
        },
      }
      const emit = () => {
        throw new Error('it puts nothing out')
      }
      for (const { event, source, type } of batch) projection.evolve(rows, event, source, type, emit)
    },
    /** Puts a row as an older version has left it. */
    put: (table: Table, key: string, row: Row) => void tables.get(table.name)!.set(key, row),
    rows: (table: Table): Row[] => [...tables.get(table.name)!.values()],
    /** All rows of all tables as one text, in an order of their own. */
    text: () =>
      [...tables]
        .map(([name, rows]) => [name, ...[...rows.values()].map(row => JSON.stringify(row)).sort()])
        .join('\n'),
  }
}

/** Streams of events in batches of random length, those of different streams in any order. */
export function batchesOf(events: readonly Sourced[], longest: number, random: Random): Sourced[][] {
  const streams = new Map<string, Sourced[]>()
  for (const each of events) streams.set(each.source.stream, [...(streams.get(each.source.stream) ?? []), each])
  const queues = [...streams.values()].map(stream => cut(stream, longest, random))
  const batches: Sourced[][] = []
  while (queues.some(queue => queue.length > 0)) {
    batches.push(random.pick(queues.filter(queue => queue.length > 0)).shift()!)
  }
  return batches
}
