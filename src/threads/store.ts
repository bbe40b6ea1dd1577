import type { MessagePort } from 'node:worker_threads'
import type { Value } from '../kernel/projection.ts'
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

/** Lets another thread read from this one's store, so that a long query blocks nobody's socket. */
export function serveReads(port: MessagePort, store: Store): void {
  serveCalls(port, {
    load: (table: PageQuery['table'], keys: Value[][], asOf?: Moment) => store.load(table, keys, asOf),
    page: (query: PageQuery) => store.page(query),
    count: (query: PageQuery) => store.count(query),
    floors: () => store.floors(),
    generations: () => store.generations.list(),
  })
}

export function readThrough(port: MessagePort): ReadStore {
  const caller = createCaller(port)
  return {
    load: (table, keys, asOf) => caller.call('load', [table, keys, asOf]),
    page: query => caller.call('page', [query]),
    count: query => caller.call('count', [query]),
    floors: () => caller.call('floors', []),
    generations: () => caller.call('generations', []),
  }
}
