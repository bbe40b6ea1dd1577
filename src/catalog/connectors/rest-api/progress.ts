import type { Tracker } from './incremental/tracker.ts'
import type { Run } from './pull.ts'
import type { At, RestState } from './state.ts'

/** Where a run is in one endpoint. */
export interface Progress {
  /** What is asked for next, and how many pages are before it. */
  readonly place: unknown
  readonly page: number
  /** How many rows of that page are done, with their fingerprint. */
  readonly done: At['done']
  /** Rows of the endpoint up to here, and how many of them were known and left out. */
  readonly seen: number
  readonly dropped: number
  /** Rows were handed out, and others left out because they were known. */
  count(given: number, dropped: number): void
  /** A page is done up to a row; `hash` is the fingerprint of its rows up to there. */
  within(rows: number, hash: string): void
  /** A page is done; `last` is its fingerprint. */
  after(next: unknown, last: string | undefined): void
  /** What is kept to go on from here. */
  here(): RestState
  /** What is kept when the endpoint is done; `total` is how many rows it said that it has. */
  end(total: number | undefined): RestState
}

export function createProgress(run: Run, index: number, tracker: Tracker | undefined, from: At | undefined): Progress {
  const { name, pagination, paging } = run.endpoints[index]!
  let place = from?.place ?? pagination.first(paging)
  let { page = 0, given = 0, dropped = 0, last, done } = from ?? {}

  function here(): RestState {
    const { cursors, ended, rows } = run
    const { calls } = run.source
    const { reached } = tracker ?? {}
    return { cursors, at: { endpoint: name, page, place, done, last, rows, given, dropped, calls, reached, ended } }
  }

  return {
    get place() {
      return place
    },
    get page() {
      return page
    },
    get done() {
      return done
    },
    get seen() {
      return given + dropped
    },
    get dropped() {
      return dropped
    },
    count(more, known) {
      given += more
      dropped += known
    },
    within(rows, hash) {
      done = rows > 0 ? { rows, hash } : undefined
    },
    after(next, fingerprint) {
      done = undefined
      last = fingerprint
      place = next
      page++
    },
    here,
    end(total) {
      const seen = given + dropped
      // Rows came or went meanwhile, or moved from a page to another because the source has no order.
      if (total !== undefined && total !== seen)
        run.context.log('warning', 'the source has given another number of rows than it says it has', {
          ...{ endpoint: name, total, rows: seen },
        })
      run.context.log('info', 'an endpoint is read to its end', { endpoint: name, rows: given, known: dropped })
      const cursor = tracker?.cursor()
      if (cursor) run.ended = { ...run.ended, [name]: cursor }
      run.rows += given
      const next = run.endpoints[index + 1]
      if (!next) return endOf(run)
      const { cursors, ended, rows, source } = run
      const at = { endpoint: next.name, page: 0, rows, given: 0, dropped: 0, calls: source.calls, ended }
      return { cursors, at }
    },
  }
}

/** What a run that is complete leaves to the next one: cursors of endpoints that there still are. */
function endOf({ endpoints, cursors, ended }: Run): RestState {
  const names = endpoints.map(({ name }) => name)
  const all = Object.entries({ ...cursors, ...ended }).filter(([name]) => names.includes(name))
  return { cursors: Object.fromEntries(all), at: 'end' }
}
