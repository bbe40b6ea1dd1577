import { type JobEvent, jobDecider } from '../../src/domain/job.ts'
import type { CommandMeta } from '../../src/kernel/decider.ts'
import { specification } from './given.ts'

export const given = specification(jobDecider)

export const PAST = { command_id: 'cmd_past', by: 'cli_1', at: 1_750_000_000_000 }
export const NOW = 1_750_000_060_000
export const meta: CommandMeta = { command_id: 'cmd_now', actor: 'cli_2', request_id: 'req_now', at: NOW }
/** What every event that follows from the command carries. */
export const stamp = { command_id: 'cmd_now', by: 'cli_2', at: NOW }

export const SETTINGS = { job_id: 'job_1', name: 'orders', connector_type: 'rest_api', config: '{"n":1}' }
export const RUN = { job_id: 'job_1', run_id: 'run_1' }
export const WAIT = { ...RUN, until: NOW + 5000, reason: 'the source is busy', failures: 1 }
export const DONE = { ...RUN, result: '{"rows":3}', position: 'log~x.1' }
export const FAILURE = { ...RUN, code: 'VALIDATION_ERROR', message: 'row 3', details: '[]', position: null }

export const configured: JobEvent = { type: 'JobConfigured', data: { ...SETTINGS, ...PAST, created_at: PAST.at } }
export const queued: JobEvent = { type: 'RunQueued', data: { ...RUN, trigger: 'upload', scheduled_at: null, ...PAST } }
export const started: JobEvent = { type: 'RunStarted', data: { ...RUN, ...PAST } }

export const STATES = {
  absent: [],
  pending: [configured],
  queued: [configured, queued],
  running: [configured, queued, started],
  paused: [configured, queued, started, { type: 'RunPaused', data: { ...RUN, ...PAST } }],
  waiting: [configured, queued, started, { type: 'RunWaiting', data: { ...WAIT, ...PAST } }],
  completed: [configured, queued, started, { type: 'RunCompleted', data: { ...DONE, ...PAST } }],
  failed: [configured, queued, started, { type: 'RunFailed', data: { ...FAILURE, ...PAST } }],
  cancelled: [configured, queued, { type: 'RunCancelled', data: { ...RUN, ...PAST } }],
  deleted: [configured, { type: 'JobDeleted', data: { job_id: 'job_1', ...PAST } }],
} as const satisfies Record<string, readonly JobEvent[]>
export type Name = keyof typeof STATES

export const LIVE: readonly Name[] = [
  'pending',
  'queued',
  'running',
  'paused',
  'waiting',
  'completed',
  'failed',
  'cancelled',
]
export const UNDER_WAY: readonly Name[] = ['queued', 'running', 'paused', 'waiting']
export const IDLE = LIVE.filter(name => !UNDER_WAY.includes(name))

export const TIME = 1_750_000_050_000
export const TIMED = { job_id: 'job_1', run_id: 'run_at', scheduled_at: TIME }
export const timed: JobEvent = { type: 'RunQueued', data: { ...TIMED, trigger: 'schedule', ...stamp } }
export const skipped = (reason: string, run_id: string | null = null, scheduled_at = TIME): JobEvent => ({
  type: 'RunSkipped',
  data: { job_id: 'job_1', scheduled_at, reason, run_id, ...stamp },
})
