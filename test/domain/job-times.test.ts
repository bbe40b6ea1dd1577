import { describe, expect, it } from 'vitest'
import { type JobCommand, type JobEvent, jobDecider } from '../../src/domain/job.ts'
import {
  configured,
  DONE,
  FAILURE,
  given,
  meta,
  PAST,
  queued,
  RUN,
  STATES,
  skipped,
  stamp,
  started,
  TIME,
  TIMED,
  timed,
} from '../kit/job-states.ts'

describe('a time of the schedule', () => {
  const schedule = (scheduled_at: number, overlap: 'skip' | 'queue' = 'skip') =>
    ({ type: 'ScheduleRun', data: { ...TIMED, run_id: `run_${scheduled_at}`, scheduled_at, overlap }, meta }) as const
  const runAt = (scheduled_at: number, by: object = stamp): JobEvent => ({
    type: 'RunQueued',
    data: { job_id: 'job_1', run_id: `run_${scheduled_at}`, trigger: 'schedule', scheduled_at, ...stamp, ...by },
  })

  it.each(Object.entries({ queued: timed, skipped: skipped('overlap'), missed: skipped('missed') }))(
    'that was %s is over, and so are those before it, whatever follows',
    (_, handled) => {
      for (const past of [
        [configured, handled],
        [configured, handled, queued, configured],
      ])
        for (const time of [TIME, TIME - 1, 1]) {
          given(...past)
            .when(schedule(time))
            .thenRefused('CONFLICT')
          given(...past)
            .when(schedule(time, 'queue'))
            .thenRefused('CONFLICT')
          const skip = { type: 'SkipRun', data: { job_id: 'job_1', scheduled_at: time }, meta } as const
          given(...past)
            .when(skip)
            .thenRefused('CONFLICT')
        }
      given(configured, skipped('overlap'))
        .when(schedule(TIME + 1))
        .then(runAt(TIME + 1))
    },
  )

  it('is told why it is over', () => {
    const state = [configured, skipped('overlap')].reduce(jobDecider.evolve, jobDecider.initial)
    expect(jobDecider.decide(state, schedule(TIME - 1000)).refusal?.message).toBe(
      'job job_1 was scheduled up to 2025-06-15T15:07:30.000Z already, so 2025-06-15T15:07:29.000Z is over',
    )
  })

  it('goes by nothing that was started by hand', () => {
    given(...STATES.completed, { ...queued, data: { ...queued.data, run_id: 'run_2' } } as JobEvent)
      .when(schedule(1))
      .then(skipped('overlap', null, 1))
  })

  const asked: JobEvent = skipped('queued', 'run_at')
  const follows = [configured, queued, started, { ...asked, data: { ...asked.data, by: 'schedule' } } as JobEvent]
  const next: JobEvent = { type: 'RunQueued', data: { ...TIMED, trigger: 'schedule', ...stamp, by: 'schedule' } }
  const paused: JobEvent = { type: 'RunPaused', data: { ...RUN, ...PAST } }
  const ENDS: [JobCommand, JobEvent][] = [
    [
      { type: 'CompleteRun', data: DONE },
      { type: 'RunCompleted', data: { ...DONE, ...stamp } },
    ],
    [
      { type: 'FailRun', data: FAILURE },
      { type: 'RunFailed', data: { ...FAILURE, ...stamp } },
    ],
    [
      { type: 'CancelJob', data: { job_id: 'job_1' } },
      { type: 'RunCancelled', data: { ...RUN, ...stamp } },
    ],
  ]

  it('that is queued begins in the same breath as the run before it ends, however that ends', () => {
    for (const [command, ended] of ENDS) {
      given(...follows)
        .when({ ...command, meta })
        .then(ended, next)
    }
    const [cancel, cancelled] = ENDS[2]!
    given(...follows, paused)
      .when({ ...cancel, meta })
      .then(cancelled, next)
  })

  it('is not queued beside another, and only once', () => {
    given(...follows)
      .when(schedule(TIME + 1, 'queue'))
      .then(skipped('overlap', null, TIME + 1))
    const ended: JobEvent = { type: 'RunCompleted', data: { ...DONE, ...PAST } }
    given(...follows, skipped('overlap', null, TIME + 1), ended, next)
      .when({ type: 'CompleteRun', data: { ...DONE, run_id: 'run_at' }, meta })
      .thenRefused('CONFLICT')
    const begun: JobEvent = { type: 'RunStarted', data: { ...TIMED, ...PAST } }
    given(...follows, ended, next, begun)
      .when({ type: 'CompleteRun', data: { ...DONE, run_id: 'run_at' }, meta })
      .then({ type: 'RunCompleted', data: { ...DONE, run_id: 'run_at', ...stamp } })
  })

  it('that is queued goes with the job', () => {
    given(...follows)
      .when({ type: 'DeleteJob', data: { job_id: 'job_1', force: true }, meta })
      .then({ type: 'JobDeleted', data: { job_id: 'job_1', ...stamp } })
  })
})
