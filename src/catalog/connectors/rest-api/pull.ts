import type { PullContext, PulledPage } from '../connector.ts'
import type { RestConfig } from './config.ts'
import { type Endpoint, endpointsOf } from './endpoint.ts'
import { openSource, type Source } from './source.ts'
import { type At, type Cursors, readState } from './state.ts'
import { pullEndpoint } from './walk.ts'

/** A run: what all its endpoints share. */
export interface Run {
  readonly config: RestConfig
  readonly context: PullContext
  readonly source: Source
  readonly endpoints: readonly Endpoint[]
  /** Cursors of the runs before this one. */
  readonly cursors: Cursors
  /** Tells the log of something once, however often it is met. */
  readonly once: (message: string, metadata: object) => void
  /** Cursors of this run. */
  ended: Cursors
  /** Rows that the endpoints before have given. */
  rows: number
}

const MAX_TOLD = 1000

/** See Connector.pull. */
export async function* pull(config: RestConfig, given: unknown, context: PullContext): AsyncGenerator<PulledPage> {
  const state = readState(given)
  if (state.at === 'end') return
  const stopping = new AbortController()
  const stop = () => stopping.abort(context.signal.reason)
  context.signal.addEventListener('abort', stop)
  if (context.signal.aborted) stop()
  const source = openSource(config, { ...context, signal: stopping.signal }, state.at?.calls ?? 0)
  const { ended = {}, rows = 0 } = state.at ?? {}
  const { cursors } = state
  const run: Run = {
    ...{ config, context, source, cursors, ended, rows },
    ...{ endpoints: endpointsOf(config), once: teller(context) },
  }
  try {
    const { index, at } = placeOf(state.at, run)
    for (let i = index; i < run.endpoints.length; i++) yield* pullEndpoint(run, i, i === index ? at : undefined)
  } finally {
    context.signal.removeEventListener('abort', stop)
    // A page that was asked for ahead is not wanted any more.
    stopping.abort(new Error('nothing more is pulled'))
    await source.close()
  }
}

function teller({ log }: PullContext): Run['once'] {
  const told = new Set<string>()
  return (message, metadata) => {
    const key = `${message} ${JSON.stringify(metadata)}`
    if (told.has(key) || told.size >= MAX_TOLD) return
    told.add(key)
    log('warning', message, metadata)
  }
}

/** Where a run goes on. What its configuration does not have any more begins anew, so that nothing is left out. */
function placeOf(at: At | undefined, run: Run): { index: number; at: At | undefined } {
  if (!at) return { index: 0, at }
  const index = run.endpoints.findIndex(({ name }) => name === at.endpoint)
  if (index < 0) {
    run.once('the endpoint that the run was at is gone: the run begins anew', { endpoint: at.endpoint.slice(0, 200) })
    return { index: 0, at: undefined }
  }
  const { pagination } = run.endpoints[index]!
  if (at.place === undefined || pagination.place.safeParse(at.place).success) return { index, at }
  run.once('the pagination has changed: the endpoint begins anew', { endpoint: at.endpoint })
  return { index, at: undefined }
}
