import { DomainError } from '../../../kernel/errors.ts'
import { pointerTo, textAt } from '../../../kernel/record-id.ts'
import { type PulledPage, SourceBusy } from '../connector.ts'
import type { Endpoint } from './endpoint.ts'
import { createTracker, type Tracker } from './incremental/tracker.ts'
import type { Page } from './page.ts'
import { createProgress, type Progress } from './progress.ts'
import type { Run } from './pull.ts'
import { createRepeats, fingerprintOf } from './repeats.ts'
import { createRowReader, type RowReader } from './rows.ts'
import type { At } from './state.ts'

/** Most rows that all cursors of a job remember together, those of earlier runs and of this one: about 200 KB. */
const MAX_MARKS = 24_000

/** Gives the pages of one endpoint, from where `from` says. */
export async function* pullEndpoint(run: Run, index: number, from: At | undefined): AsyncGenerator<PulledPage> {
  const { source, context } = run
  const endpoint = run.endpoints[index]!
  const { name, pagination } = endpoint
  const tracker = trackerOf(run, endpoint, from?.reached)
  const repeats = createRepeats(from?.last)
  const progress = createProgress(run, index, tracker, from)

  const ask = async (place: unknown, page: number): Promise<Page | 'past'> => {
    named(name, () => repeats.goTo(pagination.token?.(place), page + 1))
    return source.page(endpoint, place, { page, from: tracker?.from })
  }

  let ahead: Promise<Page | 'past'> | undefined
  let counted: number | undefined
  for (let first = true; ; first = false) {
    let seen: Page | 'past'
    try {
      seen = await (ahead ?? ask(progress.place, progress.page))
    } catch (error) {
      // Requests that were in vain count too.
      if (error instanceof SourceBusy && run.config.max_calls !== undefined)
        yield { rows: [], state: progress.here(), total: null }
      throw error
    }
    ahead = undefined
    const fingerprint = seen === 'past' ? '' : fingerprintOf(rowsOf(seen))
    if (seen === 'past' || (pagination.isProbe?.(progress.place) && repeats.isLast(fingerprint))) {
      const why = seen === 'past' ? 'it was refused' : 'it is the one before again, which was shorter than its limit'
      context.log(counted === progress.seen ? 'info' : 'warning', 'a page is taken for the end', {
        endpoint: name,
        page: progress.page + 1,
        why,
      })
      yield { rows: [], state: progress.end(counted), total: null }
      return
    }
    const { page } = progress
    const { rows: count } = seen
    counted = seen.total ?? counted
    named(name, () => repeats.see(fingerprint, page + 1, count))
    const { next, failure } = after(run, endpoint, seen, progress)
    // The next page is read while this one is written; not behind the first, which may be all that is wanted.
    if (next !== undefined && !first) {
      ahead = ask(next, page + 1)
      ahead.catch(() => undefined)
    }
    const isLast = index === run.endpoints.length - 1
    const reader = readerOf(run, endpoint, seen, progress)
    do {
      const rows = reader.take(context.pageRows, context.pageBytes)
      const taken = tracker ? tracker.sift(rows) : rows.map(({ row }) => row)
      progress.count(taken.length, rows.length - taken.length)
      const total = isLast && seen.total !== undefined ? run.rows + Math.max(0, seen.total - progress.dropped) : null
      const isWhole = reader.ended && !failure
      if (isWhole) progress.after(next, repeats.last)
      else progress.within(reader.done, reader.hash())
      yield { rows: taken, total, state: isWhole && next === undefined ? progress.end(counted) : progress.here() }
    } while (!reader.ended)
    if (failure) throw failure
    if (next === undefined) return
  }
}

/** What is known after a page: where the next one is, unless there is none or it cannot be known. */
function after(run: Run, { name, pagination, paging }: Endpoint, seen: Page, { place, page }: Progress) {
  const { rows, total, wanted, link, lastObject, body } = seen
  const field = pagination.wantsOfRow?.(paging)
  const row = field !== undefined && lastObject && body.toString('utf8', lastObject.start, lastObject.end)
  const ofLastRow = row ? textAt(row, field.startsWith('/') ? field : pointerTo(field)) : undefined
  const resolve = (address: string) => run.source.resolve(seen, address)
  try {
    const next = named(`${name}, page ${page + 1}`, () =>
      pagination.next(paging, place, { rows, total, wanted, link, ofLastRow, resolve }),
    )
    return { next, failure: undefined }
  } catch (failure) {
    // The page itself is good: it is given first.
    if (failure instanceof DomainError) return { next: undefined, failure }
    throw failure
  }
}

function rowsOf({ body, data }: Page): Uint8Array {
  return data ? body.subarray(data.start, data.end) : body.subarray(0, 0)
}

/** The rows of a page that are not done yet; all of them when the page is not what it was. */
function readerOf({ context, once }: Run, { name, config }: Endpoint, seen: Page, { page, done }: Progress): RowReader {
  const open = () => createRowReader(seen.body, seen.data, { limits: context.formatLimits, field: config.cursor_field })
  const reader = open()
  if (!done || (reader.skip(done.rows) && reader.hash() === done.hash)) return reader
  const metadata = { endpoint: name, page: page + 1, rows_before: done.rows }
  once('a page has changed since a part of it was taken: all of it is taken again', metadata)
  return open()
}

function trackerOf({ endpoints, cursors, once }: Run, endpoint: Endpoint, reached: At['reached']): Tracker | undefined {
  const { cursor_field: field, lag } = endpoint.config
  if (field === undefined) return undefined
  const cursor = cursors[endpoint.name]
  const tracked = endpoints.filter(each => each.config.cursor_field !== undefined).length
  return createTracker({
    ...{ field, lag, reached },
    // What is known of another field says nothing.
    last: cursor?.field === field ? cursor : undefined,
    most: Math.floor(MAX_MARKS / tracked / 2),
    warn: (message, metadata) => once(message, { endpoint: endpoint.name, ...metadata }),
  })
}

/** Does something, and names the endpoint in its failure. */
function named<T>(name: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof DomainError)) throw error
    throw new DomainError(error.code, `${name}: ${error.message}`, { details: error.details })
  }
}
