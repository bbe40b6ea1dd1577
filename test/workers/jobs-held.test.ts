import { describe, expect, it } from 'vitest'
import type { JobEvent } from '../../src/domain/job.ts'
import { evolveJob, type Job, type JobConfig, wantedRun } from '../../src/workers/jobs-held.ts'

const AT = 1_750_000_000_000
const stamp = { command_id: 'cmd_1', by: 'cli_1', at: AT }
const ofRun = (run_id: string) => ({ ...stamp, job_id: 'job_1', run_id })

function configured(at: number, schedule?: JobConfig['schedule']): JobEvent {
  const config = JSON.stringify({ connector: { type: 'c', config: {} }, target: {}, schedule })
  const job = { job_id: 'job_1', name: 'n', connector_type: 'c', config }
  return { type: 'JobConfigured', data: { ...job, ...stamp, at, created_at: AT } }
}
const queued = (run_id: string): JobEvent => ({
  type: 'RunQueued',
  data: { ...ofRun(run_id), trigger: 'manual', scheduled_at: null },
})
const started = (run_id: string): JobEvent => ({ type: 'RunStarted', data: ofRun(run_id) })
const cancelled = (run_id: string): JobEvent => ({ type: 'RunCancelled', data: ofRun(run_id) })
const waiting = (run_id: string, failures: number): JobEvent => ({
  type: 'RunWaiting',
  data: { ...ofRun(run_id), until: AT + 5000, reason: 'busy', failures },
})
const page = (run_id: string, number: number): JobEvent => ({
  type: 'RunCheckpointed',
  data: {
    ...{ job_id: 'job_1', run_id, number, after: null, taken: 0, state: `{"page":${number}}` },
    ...{ processed: number, rejected: 0, total: null, at: AT },
  },
})
const set = (state: string, run_id: string | null): JobEvent => ({
  type: 'JobStateSet',
  data: { ...stamp, job_id: 'job_1', state, run_id },
})
const skipped: JobEvent = {
  type: 'RunSkipped',
  data: { ...stamp, job_id: 'job_1', scheduled_at: AT, reason: 'overlap', run_id: null },
}

function held(...events: JobEvent[]): Job {
  const jobs = new Map<string, Job>()
  for (const event of [configured(AT), ...events]) expect(evolveJob(jobs, event)).toBe('job_1')
  return jobs.get('job_1')!
}

describe('where the connector is', () => {
  it('follows the pages of all runs, also a late one', () => {
    expect(held(queued('a')).connectorState).toBeUndefined()
    expect(held(queued('a'), page('a', 1), page('a', 2)).connectorState).toBe('{"page":2}')
    const late = held(queued('a'), page('a', 1), cancelled('a'), queued('b'), page('a', 2))
    expect(late.connectorState).toBe('{"page":2}')
    expect(late.checkpoint?.number).toBe(2)
  })

  it('is where it was set to, until a page of a later run', () => {
    const stopped = [queued('a'), page('a', 1), cancelled('a')]
    expect(held(...stopped, set('{"page":7}', 'a')).connectorState).toBe('{"page":7}')
    expect(held(...stopped, set('null', 'a')).connectorState).toBeUndefined()
    const late = held(...stopped, set('{"page":7}', 'a'), page('a', 2), queued('b'), page('a', 3))
    expect(late.connectorState).toBe('{"page":7}')
    // The number counts on all the same, or the next append would be refused.
    expect(late.checkpoint?.number).toBe(3)
    expect(held(...stopped, set('{"page":7}', 'a'), queued('b'), page('b', 4)).connectorState).toBe('{"page":4}')
    expect(held(set('{"page":7}', null), queued('a'), page('a', 1)).connectorState).toBe('{"page":1}')
  })
})

describe('a run that waits', () => {
  it('knows how often it has come to that since its last page', () => {
    const busy = [queued('a'), started('a'), waiting('a', 1), started('a'), waiting('a', 2)]
    expect(held(...busy).failures).toBe(2)
    expect(held(...busy, started('a')).failures).toBe(2)
    expect(held(...busy, started('a'), page('a', 1)).failures).toBe(0)
    expect(held(...busy, cancelled('a'), queued('b')).failures).toBe(0)
  })

  it('waits on while times of its schedule go by', () => {
    const wait = [queued('a'), started('a'), waiting('a', 1)]
    for (const events of [wait, [...wait, skipped]])
      expect(wantedRun(held(...events))).toEqual({ runId: 'a', from: AT + 5000 })
    expect(wantedRun(held(...wait, started('a')))).toEqual({ runId: 'a', from: 0 })
  })
})

it('has its schedule since it was last given another', () => {
  const every = (seconds: number) => ({ type: 'interval', seconds })
  expect(held().scheduledSince).toBe(AT)
  expect(held(configured(AT + 1)).scheduledSince).toBe(AT)
  expect(held(configured(AT + 1, every(5))).scheduledSince).toBe(AT + 1)
  expect(held(configured(AT + 1, every(5)), configured(AT + 2, every(5))).scheduledSince).toBe(AT + 1)
  expect(held(configured(AT + 1, every(5)), configured(AT + 2, every(6))).scheduledSince).toBe(AT + 2)
  expect(held(configured(AT + 1, every(5)), configured(AT + 2)).scheduledSince).toBe(AT + 2)
})
