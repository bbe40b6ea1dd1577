import type { MessagePort } from 'node:worker_threads'
import type { Table, Value } from '../kernel/projection.ts'
import type { Generation } from '../store/generations.ts'
import type { Moment, PageQuery, Store } from '../store/store.ts'
import { createCaller, serveCalls } from './rpc.ts'

/** The part of a store that a query needs. */
export interface ReadStore extends Pick<Store, 'load' | 'page' | 'count' | 'floors'> {
  generations(): Promise<readonly Generation[]>
}

/** What queries need of a store that this thread has itself. */
export function readsOf(store: Store): ReadStore {
  return { ...store, generations: () => store.generations.list() }
}

/** A table as another thread names it: the whole of it would be copied with each call, and be another one each time. */
type Named = Omit<PageQuery, 'table'> & { table: string }

/** Lets another thread read these tables from this one's store, so that a long query blocks nobody's socket. */
export function serveReads(port: MessagePort, store: Store, tables: readonly Table[]): void {
  const byName = new Map(tables.map(table => [table.name, table]))
  function tableOf(name: string): Table {
    const table = byName.get(name)
    if (!table) throw new Error(`no table ${name} is read from another thread`)
    return table
  }
  const known = (query: Named): PageQuery => ({ ...query, table: tableOf(query.table) })
  serveCalls(port, {
    load: (table: string, keys: Value[][], asOf?: Moment) => store.load(tableOf(table), keys, asOf),
    page: (query: Named) => store.page(known(query)),
    count: (query: Named) => store.count(known(query)),
    floors: () => store.floors(),
    generations: () => store.generations.list(),
  })
}

export function readThrough(port: MessagePort): ReadStore {
  const caller = createCaller(port)
  return {
    load: (table, keys, asOf) => caller.call('load', [table.name, keys, asOf]),
    page: query => caller.call('page', [{ ...query, table: query.table.name } satisfies Named]),
    count: query => caller.call('count', [{ ...query, table: query.table.name }]),
    floors: () => caller.call('floors', []),
    generations: () => caller.call('generations', []),
  }
}
