import type { RunCheckpointed } from '../../events/index.ts'
import type { Decoded } from '../../log/codec.ts'
import type { Page } from '../../log/log.ts'
import { jobs } from '../../projections/jobs.ts'
import { percentOf } from '../jobs.ts'
import type { Services } from '../services.ts'
import type { AboutJob } from './filter.ts'
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

/** Most jobs of which is remembered whether they bring a file. */
const MAX_REMEMBERED = 10_000

/** News of a job, for the subscribers whose filters let it through. */
export interface JobNews extends AboutJob {
  readonly payload: object
}

export function newsText({ type, payload }: JobNews, position: string): string {
  return message(type, payload, position)
}

/** Reads the news in pages of job events. `asksFiles` says whether anyone wants to know which of them are of files. */
export function createJobReader({ codec, store }: Pick<Services, 'codec' | 'store'>, asksFiles: () => boolean) {
  const files = new Map<string, boolean>()

  function remember(jobId: string, connector: unknown): void {
    files.delete(jobId)
    if (files.size >= MAX_REMEMBERED) files.delete(files.keys().next().value!)
    files.set(jobId, connector === 'file')
  }

  /** A job that was made before anyone listened is in the read model. */
  async function learn(decoded: readonly Decoded[]): Promise<void> {
    const inProgress = decoded.flatMap(({ type, data }) => (type === 'RunCheckpointed' ? data.job_id : []))
    const unknown = [...new Set(inProgress)].filter(id => !files.has(id))
    if (unknown.length === 0 || !asksFiles()) return
    for (const row of await store.load(
      jobs,
      unknown.sort().map(id => [id]),
    ))
      remember(row.id as string, row.connector_type)
  }

  function newsOf({ type, data }: Decoded): JobNews | [] {
    const status = STATUS[type]
    const { job_id } = data as { job_id: string }
    const about = { jobId: job_id, ofFile: files.get(job_id) ?? false }
    if (status !== undefined) return { ...about, type: 'job_status', payload: { job_id, status } }
    if (type !== 'RunCheckpointed') return []
    const { processed, total } = data as RunCheckpointed
    const progress = percentOf({ status: 'running', processed, total })
    const payload = { job_id, progress, records_processed: processed, records_total: total }
    return { ...about, type: 'sync_progress', payload }
  }

  return async (page: Page): Promise<JobNews[]> => {
    await codec.prepare(page.events)
    const decoded = page.events.map(({ value }) => codec.decode(value))
    for (const { type, data } of decoded) if (type === 'JobConfigured') remember(data.job_id, data.connector_type)
    await learn(decoded)
    return decoded.flatMap(newsOf)
  }
}
