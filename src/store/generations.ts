import { DomainError } from '../kernel/errors.ts'
import type { Row, Table, Value } from '../kernel/projection.ts'
import { claimLost, type Store } from './store.ts'

/*
 * A projection is made anew beside the rows that are read: in a generation of tables of its own, with checkpoints of its
 * own, which takes the place of the live one when it is as far. `test/contracts/store-generations.ts` runs these laws:
 *
 * 1. A swap is one transaction: whoever reads sees all tables of one generation or all of the other.
 * 2. A swap moves no checkpoint: the rows of both include the same events. So no reader goes back.
 * 3. Who writes under a claim from before a swap writes nothing, and is told that it was a swap (`isReplaced`).
 * 4. While a projection is held its live rows and checkpoints stay as they are, and reads go on.
 * 5. What is left over of a generation never gets in the way of the next one.
 * 6. One that has been put in place, or given up, is changed by nobody who was at it before: CONFLICT.
 */

/** The steps of one that is being made. */
export type Step = 'filling' | 'comparing' | 'swapping'

/** The tables of a projection that one version of it has filled. */
export interface Generation {
  readonly projection: string
  /** Grows with each one; behind a `~` in the names of its tables while they are not the live ones. */
  readonly number: number
  /** The projection's version that fills it. */
  readonly version: number
  /** An old one is about to be removed. */
  readonly state: Step | 'live' | 'old'
  /** The rebuild that it is made by; null for what was there before there were any. */
  readonly rebuild: string | null
  /** When it was begun, milliseconds since 1970. */
  readonly startedAt: number | null
  /** What came of the comparison, JSON text, once it is live. */
  readonly result: string | null
  /** Names of its tables while they are live. */
  readonly tables: readonly string[]
  /** How far it has come in each stream, while it is being made. */
  readonly offsets: ReadonlyMap<string, number>
  /** How many events that was, of how many, when it was last told. */
  readonly done: number
  readonly total: number
}

/** What is to be made: a projection's tables by a version of it, for a rebuild that began at a time. */
export interface Plan {
  readonly projection: string
  readonly version: number
  readonly tables: readonly Table[]
  readonly rebuild: string
  readonly at: number
}

export interface Generations {
  /** Notes which version has filled the rows of projections of which that is not known: this one, where there are none yet, else the first. */
  adopt(projections: readonly { name: string; version: number; tables: readonly Table[] }[]): Promise<void>
  list(): Promise<readonly Generation[]>
  /** Begins a generation: its tables are there and empty. Whatever else is being made of the projection is old from now on. */
  begin(plan: Plan): Promise<Generation>
  /** Notes at which step the making of one is. */
  mark(generation: Generation, step: Step): Promise<void>
  /** Keeps how far it is, for who asks. */
  tell(generation: Generation, done: number, total: number): Promise<void>
  /** Keeps everybody from committing rows of a projection. Rejects with UNAVAILABLE when that cannot be had soon. */
  hold(projection: string, tables: readonly Table[]): Promise<Hold>
  /** Removes some of the rows of one that is not live, and with the last of them its tables. False when nothing is left. */
  removeSome(generation: Generation): Promise<boolean>
  /** Everything as it is at one moment, for as long as it is not closed; the less long the better. */
  snapshot(): Promise<Snapshot>
}

/** A projection whose live rows and checkpoints stay as they are. It does not last for long: a store may take it back. */
export interface Hold {
  readonly checkpoints: ReadonlyMap<string, number>
  /**
   * Puts a generation in the place of the live one, and ends the hold. `epochs` are the claims it was filled under, by
   * stream: CONFLICT when somebody else has claimed one since, or it is not being made any more.
   */
  swap(generation: Generation, epochs: ReadonlyMap<string, number>, result: string): Promise<void>
  release(): Promise<void>
}

export type Key = readonly Value[]

export interface Snapshot {
  checkpoints(projections: readonly string[]): Promise<ReadonlyMap<string, number>>
  /** Rows in the order of their whole keys, after a key. */
  rows(table: Table, after: Key | undefined, limit: number): Promise<readonly Row[]>
  /** From where on earlier versions of rows are there, by stream: `Store.floors`. */
  floors(): Promise<ReadonlyMap<string, number>>
  /** What differs between two tables of the same columns, in the next stretch of keys; of versions, those after the floors. */
  differences(
    live: Table,
    made: Table,
    floors: ReadonlyMap<string, number>,
    after: Key | undefined,
    limit: number,
  ): Promise<Differences>
  close(): Promise<void>
}

export interface Differences {
  /** Rows that the live table has in this stretch, and the other one. */
  readonly live: number
  readonly made: number
  /** Rows of both that are not the same, rows of the live one only, and rows of the other one only. */
  readonly changed: number
  readonly liveOnly: number
  readonly madeOnly: number
  /** Keys of the first ones. */
  readonly keys: readonly Key[]
  /** Where the next stretch begins; undefined when this was the last. */
  readonly next: Key | undefined
}

/** Keys that a comparison names. */
export const NAMED_KEYS = 5

/** Tables with those that their earlier versions are in, each once. */
export function allTables(tables: readonly Table[]): Table[] {
  const all = tables.flatMap(table => (table.versions ? [table, table.versions] : [table]))
  return [...new Map(all.map(table => [table.name, table])).values()]
}

/** The name of something of a generation that is not the live one. */
export function besideName(name: string, number: number): string {
  return `${name}~${number}`
}

/** The refusal of whoever is at a generation that is not being made any more. */
export function madeNoMore({ projection, number }: Pick<Generation, 'projection' | 'number'>): DomainError {
  return new DomainError(
    'CONFLICT',
    `generation ${number} of ${projection} has been put in place or given up meanwhile`,
  )
}

/**
 * What a swap replaces: the live generation, and the live tables: of those that were made some may have come to them since
 * it began. `all` are the generations as they are now, and `claims` those of the checkpoints of `made`: it must have been
 * filled under these and no others.
 */
export function replacedBy(
  made: Generation,
  all: readonly Generation[],
  claims: ReadonlyMap<string, number>,
  epochs: ReadonlyMap<string, number>,
): { live: Generation; tables: string[] } {
  const { projection, number, rebuild } = made
  const ours = all.filter(each => each.projection === projection)
  // One that was removed has left its number to the next one.
  const state = ours.find(each => each.number === number && each.rebuild === rebuild)?.state
  if (!state || state === 'live' || state === 'old') throw madeNoMore(made)
  for (const stream of new Set([...claims.keys(), ...epochs.keys()]))
    if (claims.get(stream) !== epochs.get(stream))
      throw claimLost({ projection: besideName(projection, number), stream, epoch: epochs.get(stream) ?? 0 })
  const live = ours.find(each => each.state === 'live')!
  return { live, tables: [...new Set([...live.tables, ...made.tables])] }
}

/** A table as a generation has it that is not the live one. */
export function beside(table: Table, number: number): Table {
  const { versions, ...rest } = table
  const name = besideName(table.name, number)
  return versions ? { ...rest, name, versions: beside(versions, number) } : { ...rest, name }
}

/** A store that reads and writes a generation instead of the live rows; `epochs` learns the claims it is filled under. */
export function storeBeside(
  store: Store,
  number: number,
  epochs: Map<string, number>,
): Pick<Store, 'parallel' | 'claim' | 'load' | 'commit'> {
  const known = new Map<Table, Table>()
  const tableOf = (table: Table): Table => {
    const found = known.get(table) ?? beside(table, number)
    known.set(table, found)
    return found
  }
  return {
    parallel: store.parallel,
    async claim(projection, stream) {
      const claim = await store.claim(besideName(projection, number), stream)
      epochs.set(stream, claim.epoch)
      return claim
    },
    load: (table, keys, asOf) => store.load(tableOf(table), keys, asOf),
    commit(changes, checkpoint, before) {
      const renamed = changes.map(change => ({ ...change, table: tableOf(change.table) }))
      const projection = besideName(checkpoint.projection, number)
      return store.commit(renamed, { ...checkpoint, projection }, before)
    },
  }
}
