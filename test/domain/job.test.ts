import { describe, expect, it } from 'vitest'
import { type JobCommand, type JobEvent, jobDecider, shownStatus } from '../../src/domain/job.ts'
import type { CommandMeta } from '../../src/kernel/decider.ts'
import { specification } from '../kit/given.ts'

const given = specification(jobDecider)

const PAST = { command_id: 'cmd_past', by: 'cli_1', at: 1_750_000_000_000 }
const NOW = 1_750_000_060_000
const meta: CommandMeta = { command_id: 'cmd_now', actor: 'cli_2', request_id: 'req_now', at: NOW }
/** What every event that follows from the command carries. */
const stamp = { command_id: 'cmd_now', by: 'cli_2', at: NOW }

const SETTINGS = { job_id: 'job_1', name: 'orders', connector_type: 'rest_api', config: '{"n":1}' }
const CHANGED = { ...SETTINGS, name: 'orders of today', config: '{"n":2}' }
const RUN = { job_id: 'job_1', run_id: 'run_1' }
const NEXT = { job_id: 'job_1', run_id: 'run_2', trigger: 'manual', scheduled_at: null }
const WAIT = { ...RUN, until: NOW + 5000, reason: 'the source is busy', failures: 1 }
const DONE = { ...RUN, result: '{"rows":3}', position: 'log~x.1' }
const FAILURE = { ...RUN, code: 'VALIDATION_ERROR', message: 'row 3', details: '[]', position: null }

const configured: JobEvent = { type: 'JobConfigured', data: { ...SETTINGS, ...PAST, created_at: PAST.at } }
const queued: JobEvent = { type: 'RunQueued', data: { ...RUN, trigger: 'upload', scheduled_at: null, ...PAST } }
const started: JobEvent = { type: 'RunStarted', data: { ...RUN, ...PAST } }

const STATES = {
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
type Name = keyof typeof STATES

const LIVE: readonly Name[] = ['pending', 'queued', 'running', 'paused', 'waiting', 'completed', 'failed', 'cancelled']
const UNDER_WAY: readonly Name[] = ['queued', 'running', 'paused', 'waiting']

interface Case {
  readonly command: JobCommand
  /** The states in which it is accepted, and what follows. */
  readonly legal: readonly Name[]
  readonly gives: readonly JobEvent[]
}

const CASES: Record<string, Case> = {
  CreateJob: {
    command: { type: 'CreateJob', data: SETTINGS },
    legal: ['absent'],
    gives: [{ type: 'JobConfigured', data: { ...SETTINGS, ...stamp, created_at: NOW } }],
  },
  'CreateJob with its first run': {
    command: { type: 'CreateJob', data: { ...SETTINGS, queue: { run_id: 'run_1', trigger: 'upload' } } },
    legal: ['absent'],
    gives: [
      { type: 'JobConfigured', data: { ...SETTINGS, ...stamp, created_at: NOW } },
      { type: 'RunQueued', data: { ...RUN, trigger: 'upload', scheduled_at: null, ...stamp } },
    ],
  },
  UpdateJob: {
    command: { type: 'UpdateJob', data: CHANGED },
    legal: LIVE,
    gives: [{ type: 'JobConfigured', data: { ...CHANGED, ...stamp, created_at: PAST.at } }],
  },
  DeleteJob: {
    command: { type: 'DeleteJob', data: { job_id: 'job_1', force: false } },
    legal: ['pending', 'completed', 'failed', 'cancelled'],
    gives: [{ type: 'JobDeleted', data: { job_id: 'job_1', ...stamp } }],
  },
  'DeleteJob by force': {
    command: { type: 'DeleteJob', data: { job_id: 'job_1', force: true } },
    legal: LIVE,
    gives: [{ type: 'JobDeleted', data: { job_id: 'job_1', ...stamp } }],
  },
  StartJob: {
    command: { type: 'StartJob', data: NEXT },
    legal: ['pending', 'completed', 'failed', 'cancelled'],
    gives: [{ type: 'RunQueued', data: { ...NEXT, scheduled_at: null, ...stamp } }],
  },
  PauseJob: {
    command: { type: 'PauseJob', data: { job_id: 'job_1' } },
    legal: ['queued', 'running', 'waiting'],
    gives: [{ type: 'RunPaused', data: { ...RUN, ...stamp } }],
  },
  ResumeJob: {
    command: { type: 'ResumeJob', data: { job_id: 'job_1' } },
    legal: ['paused'],
    gives: [{ type: 'RunResumed', data: { ...RUN, ...stamp } }],
  },
  CancelJob: {
    command: { type: 'CancelJob', data: { job_id: 'job_1' } },
    legal: UNDER_WAY,
    gives: [{ type: 'RunCancelled', data: { ...RUN, ...stamp } }],
  },
  BeginRun: {
    command: { type: 'BeginRun', data: RUN },
    legal: ['queued', 'running', 'waiting'],
    gives: [{ type: 'RunStarted', data: { ...RUN, ...stamp } }],
  },
  WaitRun: {
    command: { type: 'WaitRun', data: WAIT },
    legal: ['running'],
    gives: [{ type: 'RunWaiting', data: { ...WAIT, ...stamp } }],
  },
  CompleteRun: {
    command: { type: 'CompleteRun', data: DONE },
    legal: ['running'],
    gives: [{ type: 'RunCompleted', data: { ...DONE, ...stamp } }],
  },
  FailRun: {
    command: { type: 'FailRun', data: FAILURE },
    legal: ['queued', 'running', 'waiting'],
    gives: [{ type: 'RunFailed', data: { ...FAILURE, ...stamp } }],
  },
}

for (const [state, events] of Object.entries(STATES) as [Name, readonly JobEvent[]][]) {
  describe(`given a job that is ${state}`, () => {
    for (const [name, { command, legal, gives }] of Object.entries(CASES)) {
      const code = !LIVE.includes(state) && command.type !== 'CreateJob' ? 'NOT_FOUND' : 'CONFLICT'
      it(`${name} ${legal.includes(state) ? 'is accepted' : `is refused: ${code}`}`, () => {
        const when = given(...events).when({ ...command, meta })
        if (legal.includes(state)) when.then(...gives)
        else when.thenRefused(code)
      })
    }
  })
}

it('a job whose file is in does not start again; one whose file failed does', () => {
  const uploaded: JobEvent = { ...configured, data: { ...configured.data, connector_type: 'file' } } as JobEvent
  const [, ...completed] = STATES.completed
  const [, ...failed] = STATES.failed
  given(uploaded, ...completed)
    .when({ ...CASES.StartJob!.command, meta })
    .thenRefused('CONFLICT')
  given(uploaded, ...failed)
    .when({ ...CASES.StartJob!.command, meta })
    .then(...CASES.StartJob!.gives)
})

describe('a refusal', () => {
  const refusalOf = (state: Name, command: JobCommand) => {
    const past: readonly JobEvent[] = STATES[state]
    return jobDecider.decide(past.reduce(jobDecider.evolve, jobDecider.initial), { ...command, meta }).refusal!.message
  }

  it('names the job, its state and what was asked', () => {
    expect(refusalOf('running', CASES.StartJob!.command)).toBe('job job_1 is running, so it cannot be started')
    expect(refusalOf('completed', CASES.PauseJob!.command)).toBe('job job_1 is completed, so it cannot be paused')
    expect(refusalOf('running', CASES.DeleteJob!.command)).toMatch(/job_1 is running.*force=true/)
    expect(refusalOf('absent', CASES.StartJob!.command)).toBe('there is no job job_1')
  })

  it('of a run that another has followed names both, in every state that it would be legal in', () => {
    for (const name of ['BeginRun', 'WaitRun', 'CompleteRun', 'FailRun']) {
      const { command, legal } = CASES[name]!
      const stale = { ...command, data: { ...command.data, run_id: 'run_0' } } as JobCommand
      for (const state of legal) expect(refusalOf(state, stale)).toMatch(/run_0.*run_1/)
    }
  })
})

describe('a run', () => {
  it('that follows another is the one that commands mean', () => {
    const again: JobEvent = { type: 'RunQueued', data: { ...NEXT, scheduled_at: null, ...PAST } }
    given(...STATES.failed, again)
      .when({ type: 'CancelJob', data: { job_id: 'job_1' }, meta })
      .then({ type: 'RunCancelled', data: { job_id: 'job_1', run_id: 'run_2', ...stamp } })
  })

  it('stays what it is while the job is configured anew, and its checkpoints decide nothing', () => {
    const place = { number: 1, after: null, taken: 0, state: '{}', processed: 1, rejected: 0, total: null, at: NOW }
    const checkpoint: JobEvent = { type: 'RunCheckpointed', data: { ...RUN, ...place } }
    for (const events of Object.values(STATES) as (readonly JobEvent[])[]) {
      const state = events.reduce(jobDecider.evolve, jobDecider.initial)
      expect(jobDecider.evolve(state, checkpoint)).toEqual(state)
      if (state.is === 'job') expect(jobDecider.evolve(state, configured)).toEqual(state)
    }
  })
})

it('people see a run that no runner has taken up yet as pending', () => {
  expect(shownStatus('queued')).toBe('pending')
  for (const status of ['pending', 'running', 'paused', 'waiting', 'completed', 'failed', 'cancelled'] as const) {
    expect(shownStatus(status)).toBe(status)
  }
})
