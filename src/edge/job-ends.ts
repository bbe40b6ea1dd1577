import { DomainError, type ErrorDetail } from '../kernel/errors.ts'
import { pause } from '../kernel/pause.ts'
import type { Row } from '../kernel/projection.ts'
import { findJob, runOf } from './jobs.ts'
import type { Request } from './router.ts'

const FIRST_LOOK_MS = 20
const LONGEST_LOOK_MS = 500

/**
 * Waits until a job has completed, or is paused, or `ms` are over, or the service wants to stop, and gives it as it is then. The
 * job goes on whoever waits. Throws what it failed with, and CONFLICT when somebody has cancelled or deleted it.
 */
export async function endOfJob({ services, exchange }: Request, id: string, ms: number): Promise<Row> {
  const stopping = new AbortController()
  exchange.onStop(() => stopping.abort())
  const signal = AbortSignal.any([exchange.gone, stopping.signal])
  const until = Date.now() + ms
  for (let look = FIRST_LOOK_MS; ; look = Math.min(look * 1.5, LONGEST_LOOK_MS)) {
    const row = await findJob(services, id).catch(error => {
      if (!(error instanceof DomainError) || error.code !== 'NOT_FOUND') throw error
      throw new DomainError('CONFLICT', `job ${id} was deleted before it had ended`)
    })
    if (row.status === 'failed') throw failureOf(row)
    if (row.status === 'cancelled') throw new DomainError('CONFLICT', `job ${id} was cancelled`)
    const left = until - Date.now()
    if (row.status === 'completed' || row.status === 'paused' || left <= 0 || signal.aborted) return row
    await pause(Math.min(look, left), signal)
  }
}

/** What a job failed with, as the error of the request that asked for it. */
function failureOf(row: Row): DomainError {
  const { code, message, details } = JSON.parse(runOf(row)!.error!) as {
    code: ConstructorParameters<typeof DomainError>[0]
    message: string
    details: ErrorDetail[]
  }
  const retryAfter = code === 'UNAVAILABLE' ? { retryAfter: 5 } : {}
  return new DomainError(code, `${message} (job ${row.id as string})`, { details, ...retryAfter })
}
