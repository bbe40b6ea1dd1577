import type { RunCheckpointed } from '../../events/index.ts'
import type { Codec, Decoded } from '../../log/codec.ts'
import type { Page } from '../../log/log.ts'
import { percentOf } from '../jobs.ts'
import type { JobFilter } from './filter.ts'
import { message } from './messages.ts'

export const JOBS = 'sync.jobs'

/** What a job's status is after each event of its run. */
const STATUS: Partial<Record<Decoded['type'], string>> = {
  RunQueued: 'pending',
  RunResumed: 'pending',
  RunStarted: 'running',
  RunPaused: 'paused',
  RunWaiting: 'waiting',
  RunCancelled: 'cancelled',
  RunCompleted: 'completed',
  RunFailed: 'failed',
}

/** News of a job, for the subscribers whose filters let it through. */
export interface JobNews {
  readonly matches: (filter: JobFilter) => boolean
  text(position: string): string
}

function newsOf({ type, data }: Decoded): JobNews | undefined {
  const status = STATUS[type]
  const { job_id } = data as { job_id: string }
  if (status !== undefined) {
    return {
      matches: filter => filter({ type: 'job_status', jobId: job_id }),
      text: position => message('job_status', { job_id, status }, position),
    }
  }
  if (type !== 'RunCheckpointed') return undefined
  const { processed, total } = data as RunCheckpointed
  const progress = percentOf({ status: 'running', processed, total })
  const payload = { job_id, progress, records_processed: processed, records_total: total }
  return {
    matches: filter => filter({ type: 'sync_progress', jobId: job_id }),
    text: position => message('sync_progress', payload, position),
  }
}

/** The news in a page of job events; of several progresses of one job only the last. */
export async function jobNews(codec: Codec, page: Page): Promise<JobNews[]> {
  await codec.prepare(page.events)
  const decoded = page.events.map(({ value }) => codec.decode(value))
  const last = new Map<string, Decoded>()
  for (const event of decoded) if (event.type === 'RunCheckpointed') last.set(event.data.run_id, event)
  return decoded.flatMap(event => {
    if (event.type === 'RunCheckpointed' && last.get(event.data.run_id) !== event) return []
    return newsOf(event) ?? []
  })
}
