import { describe, expect, it } from 'vitest'
import { type JobCommand, type JobEvent, jobDecider, shownStatus } from '../../src/domain/job.ts'
import {
  configured,
  DONE,
  FAILURE,
  given,
  IDLE,
  LIVE,
  meta,
  type Name,
  NOW,
  PAST,
  RUN,
  SETTINGS,
  STATES,
  skipped,
  stamp,
  TIME,
  TIMED,
  timed,
  UNDER_WAY,
  WAIT,
} from '../kit/job-states.ts'

const CHANGED = { ...SETTINGS, name: 'orders of today', config: '{"n":2}' }
const NEXT = { job_id: 'job_1', run_id: 'run_2', trigger: 'manual', scheduled_at: null }

interface Case {
  readonly command: JobCommand
  /** The states in which it is accepted, and what follows. */
  readonly legal: readonly Name[]
  readonly gives: readonly JobEvent[] | ((state: Name) => readonly JobEvent[])
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
    legal: IDLE,
    gives: [{ type: 'JobConfigured', data: { ...CHANGED, ...stamp, created_at: PAST.at } }],
  },
  'UpdateJob of what is still so': {
    command: { type: 'UpdateJob', data: { ...CHANGED, was: PAST.command_id } },
    legal: IDLE,
    gives: [{ type: 'JobConfigured', data: { ...CHANGED, ...stamp, created_at: PAST.at } }],
  },
  'UpdateJob of what somebody else has updated meanwhile': {
    command: { type: 'UpdateJob', data: { ...CHANGED, was: 'cmd_before' } },
    legal: [],
    gives: [],
  },
  DeleteJob: {
    command: { type: 'DeleteJob', data: { job_id: 'job_1', force: false } },
    legal: IDLE,
    gives: [{ type: 'JobDeleted', data: { job_id: 'job_1', ...stamp } }],
  },
  'DeleteJob by force': {
    command: { type: 'DeleteJob', data: { job_id: 'job_1', force: true } },
    legal: LIVE,
    gives: [{ type: 'JobDeleted', data: { job_id: 'job_1', ...stamp } }],
  },
  StartJob: {
    command: { type: 'StartJob', data: NEXT },
    legal: IDLE,
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
  'ScheduleRun that skips what overlaps': {
    command: { type: 'ScheduleRun', data: { ...TIMED, overlap: 'skip' } },
    legal: LIVE,
    gives: state => [UNDER_WAY.includes(state) ? skipped('overlap') : timed],
  },
  'ScheduleRun that queues what overlaps': {
    command: { type: 'ScheduleRun', data: { ...TIMED, overlap: 'queue' } },
    legal: LIVE,
    gives: state => [UNDER_WAY.includes(state) ? skipped('queued', 'run_at') : timed],
  },
  SkipRun: {
    command: { type: 'SkipRun', data: { job_id: 'job_1', scheduled_at: TIME } },
    legal: LIVE,
    gives: [skipped('missed')],
  },
  SetState: {
    command: { type: 'SetState', data: { job_id: 'job_1', state: '{"page":7}' } },
    legal: IDLE,
    gives: state => [
      {
        type: 'JobStateSet',
        data: { job_id: 'job_1', state: '{"page":7}', run_id: state === 'pending' ? null : 'run_1', ...stamp },
      },
    ],
  },
}

for (const [state, events] of Object.entries(STATES) as [Name, readonly JobEvent[]][]) {
  describe(`given a job that is ${state}`, () => {
    for (const [name, { command, legal, gives }] of Object.entries(CASES)) {
      const code = !LIVE.includes(state) && command.type !== 'CreateJob' ? 'NOT_FOUND' : 'CONFLICT'
      it(`${name} ${legal.includes(state) ? 'is accepted' : `is refused: ${code}`}`, () => {
        const when = given(...events).when({ ...command, meta })
        if (legal.includes(state)) when.then(...(typeof gives === 'function' ? gives(state) : gives))
        else when.thenRefused(code)
      })
    }
  })
}

it('a job that is given another connector has its state taken away: it means nothing to that one', () => {
  const other = { ...CHANGED, connector_type: 'eventstore' }
  for (const [state, run_id] of [
    ['pending', null],
    ['failed', 'run_1'],
  ] as const)
    given(...STATES[state])
      .when({ type: 'UpdateJob', data: other, meta })
      .then(
        { type: 'JobConfigured', data: { ...other, ...stamp, created_at: PAST.at } },
        { type: 'JobStateSet', data: { job_id: 'job_1', state: 'null', run_id, ...stamp } },
      )
})

it('a job goes by the connector that it was last given', () => {
  const [, ...completed] = STATES.completed
  const uploaded: JobEvent = { ...configured, data: { ...configured.data, connector_type: 'file' } } as JobEvent
  given(configured, ...completed, uploaded)
    .when({ ...CASES.StartJob!.command, meta })
    .thenRefused('CONFLICT')
  given(uploaded, ...completed, configured)
    .when({ ...CASES.StartJob!.command, meta })
    .then(...(CASES.StartJob!.gives as JobEvent[]))
})

it('a job whose file is in does not start again; one whose file failed does', () => {
  const uploaded: JobEvent = { ...configured, data: { ...configured.data, connector_type: 'file' } } as JobEvent
  const [, ...completed] = STATES.completed
  const [, ...failed] = STATES.failed
  given(uploaded, ...completed)
    .when({ ...CASES.StartJob!.command, meta })
    .thenRefused('CONFLICT')
  given(uploaded, ...completed)
    .when({ type: 'ScheduleRun', data: { ...TIMED, overlap: 'skip' }, meta })
    .thenRefused('CONFLICT')
  given(uploaded, ...failed)
    .when({ ...CASES.StartJob!.command, meta })
    .then(...(CASES.StartJob!.gives as JobEvent[]))
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
    expect(refusalOf('waiting', CASES.UpdateJob!.command)).toBe('job job_1 is waiting, so it cannot be updated')
    expect(refusalOf('paused', CASES.SetState!.command)).toBe(
      'job job_1 is paused, so it cannot be given another state',
    )
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
      const set: JobEvent = { type: 'JobStateSet', data: { job_id: 'job_1', state: '{}', run_id: null, ...PAST } }
      expect(jobDecider.evolve(state, set)).toEqual(state)
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
