import type { MessagePort } from 'node:worker_threads'
import type { Value } from '../kernel/projection.ts'
import type { PageQuery, Store } from '../store/store.ts'
import { createCaller, serveCalls } from './rpc.ts'

/** The part of a store that a query needs. */
export type ReadStore = Pick<Store, 'load' | 'page' | 'count'>

/** Lets another thread read from this one's store, so that a long query blocks nobody's socket. */
export function serveReads(port: MessagePort, store: Store): void {
  serveCalls(port, {
    load: (table: PageQuery['table'], keys: Value[][]) => store.load(table, keys),
    page: (query: PageQuery) => store.page(query),
    count: (query: PageQuery) => store.count(query),
  })
}

export function readThrough(port: MessagePort): ReadStore {
  const caller = createCaller(port)
  return {
    load: (table, keys) => caller.call('load', [table, keys]),
    page: query => caller.call('page', [query]),
    count: query => caller.call('count', [query]),
  }
}
