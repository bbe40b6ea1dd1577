import { z } from 'zod'
import { DomainError } from '../../kernel/errors.ts'
import {
  type DatasetRecord,
  type Datasets,
  type Origin,
  type PullContext,
  type PulledPage,
  SourceBusy,
} from './connector.ts'

/** A data set as a job's configuration names it: its name in the log, and the id that origins have. */
export const datasetOf = z.object({ id: z.string(), name: z.string() })

export type DatasetOf = z.infer<typeof datasetOf>

const moment = z.object({ log: z.string(), offsets: z.record(z.string(), z.int()) })

/** What the checkpoint of every job has that makes a data set out of others. */
export const madeState = z.object({
  /** When its sources are read as they were. */
  moment,
  /** Rows that are in the output. */
  written: z.int(),
  /** What it has come to, once it has. */
  result: z.record(z.string(), z.unknown()).optional(),
})

type MadeState = z.infer<typeof madeState>

/**
 * The pages of a job that makes a data set: first the moment at which its sources are read, by itself, so that every run of
 * the job reads what was there then; after it what `pages` gives. None when it has come to its result. `last` is the state
 * of the page before, if there is one. Fails as `pages` does, and says what is in the output already.
 */
export async function* pagesOfMoment<State extends MadeState>(
  last: State | undefined,
  output: DatasetOf,
  context: PullContext,
  pages: (from: State | MadeState) => AsyncIterable<PulledPage>,
): AsyncGenerator<PulledPage> {
  if (last?.result) return
  let now: State | MadeState | undefined = last
  if (!now) {
    now = { moment: await requireDatasets(context).now(context.signal), written: 0 }
    yield { rows: [], state: now, total: null }
  }
  let { written } = now
  try {
    for await (const page of pages(now)) {
      written = (page.state as MadeState).written
      yield page
    }
  } catch (error) {
    throw withMade(error, written, output)
  }
}

export function requireDatasets({ datasets }: PullContext): Datasets {
  if (!datasets) throw new DomainError('INTERNAL_ERROR', 'data sets can be read by the runner only')
  return datasets
}

/** What a record was made of, for one that was made before it came here. */
export function originOf({ origin }: DatasetRecord): Origin | null {
  return origin === null ? null : JSON.parse(origin)
}

/** A failure of a run, saying what is in the output already. What is only ours and may pass stays as it is. */
function withMade(error: unknown, written: number, output: DatasetOf): unknown {
  if (written === 0) return error
  const made = `${written} rows are in data set ${output.name}, and the job goes on after them`
  if (error instanceof SourceBusy) return new SourceBusy(`${error.message}; ${made}`, error.until, error.details)
  if (!(error instanceof DomainError) || error.code === 'UNAVAILABLE' || error.code === 'CONFLICT') return error
  return new DomainError(error.code, `${error.message}; ${made}`, { details: error.details })
}
