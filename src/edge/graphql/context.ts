import { DomainError } from '../../kernel/errors.ts'
import type { Row, Table, Value } from '../../kernel/projection.ts'
import { createSlots } from '../../kernel/slots.ts'
import { type Moment, PAGE_BYTES, rowBytes } from '../../store/store.ts'
import type { ReadStore } from '../../threads/store.ts'
import type { Request } from '../router.ts'
import { renamed } from './moments.ts'

/** Reads of one request that are under way at once. */
const AT_ONCE = 4
/** Most keys of one load. */
const MOST_KEYS = 1000

/** What resolvers work with. */
export interface Asked {
  /** Its store counts what is read of it, and asks for rows of one table together. */
  readonly request: Request
  /** Counts text of the answer. Throws VALIDATION_ERROR when it becomes too much. */
  spend(length: number): void
  /** Counts anew: each event of a subscription is an answer. */
  restart(): void
}

/** What resolvers are handed as their context. */
export interface Context {
  readonly asked: Asked
}

export function askedBy(request: Request): Asked {
  const { services, exchange } = request
  const most = services.config.graphqlAnswerLength
  let spent = 0
  const spend = (length: number) => {
    spent += length
    if (spent <= most) return
    const message = `the answer is made of more than ${most} characters, the limit; ask for fewer things at once`
    throw new DomainError('VALIDATION_ERROR', message)
  }
  const store = boundedStore(services.store, exchange.gone, spend)
  return {
    request: { ...request, services: { ...services, store } },
    spend,
    restart() {
      spent = 0
    },
  }
}

/** A store for one request: few reads at once, their text counted, and rows that are asked for together loaded together. */
function boundedStore(store: ReadStore, gone: AbortSignal, spend: (length: number) => void): ReadStore {
  const slots = createSlots(AT_ONCE)
  const batches = new Map<string, Batch>()

  async function counted(read: () => Promise<readonly Row[]>): Promise<readonly Row[]> {
    const rows = await slots.take(gone, () => {
      spend(0)
      return read()
    })
    spend(rows.reduce((sum, row) => sum + rowBytes(row), 0))
    return rows
  }

  /** Rows whose text fills a page end it: the keys after those are asked for again. */
  async function loadAll(table: Table, keys: readonly (readonly Value[])[], asOf?: Moment): Promise<readonly Row[]> {
    const found: Row[] = []
    for (let from = 0; from < keys.length; ) {
      const asked = keys.slice(from, from + MOST_KEYS)
      const rows = await counted(() => named(store.load(table, asked, asOf)))
      found.push(...rows)
      const full = rows.reduce((sum, row) => sum + rowBytes(row), 0) >= PAGE_BYTES
      const last = full ? keyOf(table.key.map(name => rows.at(-1)![name]!)) : undefined
      from += last === undefined ? asked.length : asked.findIndex(key => keyOf(key) === last) + 1
    }
    return found
  }

  function batchFor(table: Table, asOf: Moment | undefined): Batch {
    const name = `${table.name} ${asOf ? momentKey(asOf) : ''}`
    let batch = batches.get(name)
    if (!batch) {
      const keys = new Map<string, readonly Value[]>()
      // After all that is ready to run has asked.
      const rows = new Promise(resolve => setImmediate(resolve)).then(async () => {
        batches.delete(name)
        const found = await loadAll(table, [...keys.values()], asOf)
        return new Map(found.map(row => [keyOf(table.key.map(column => row[column]!)), row]))
      })
      batch = { keys, rows }
      batches.set(name, batch)
    }
    return batch
  }

  return {
    async load(table, keys, asOf) {
      if (keys.length === 0) return []
      const { keys: all, rows } = batchFor(table, asOf)
      for (const key of keys) all.set(keyOf(key), key)
      const found = await rows
      return keys.map(key => found.get(keyOf(key))).filter(row => row !== undefined)
    },
    page: query => counted(() => named(store.page(query))),
    count: query => slots.take(gone, () => named(store.count(query))),
    floors: () => store.floors(),
    generations: () => store.generations(),
  }
}

/** What is wrong with a moment only shows when something of it is read: it is called here as the argument is. */
function named<T>(reading: Promise<T>): Promise<T> {
  return reading.catch(error => {
    throw renamed(error, 'as_of', 'asOf')
  })
}

interface Batch {
  readonly keys: Map<string, readonly Value[]>
  readonly rows: Promise<ReadonlyMap<string, Row>>
}

const keyOf = (key: readonly Value[]) => JSON.stringify(key)
const momentKey = (moment: Moment) => JSON.stringify([...moment])
