import { expect, it } from 'vitest'
import { jobs, jobsProjection, runLogs, runs } from '../../src/projections/jobs.ts'
import { foldedTables, type Sourced } from '../kit/fold.ts'
import { randomJobEvents } from '../kit/made-events.ts'
import { property } from '../kit/random.ts'

const AT = 1_750_000_000_000
const stamp = (n: number) => ({ command_id: `cmd_${n}`, by: 'cli_1', at: AT + n })
const RUN = { job_id: 'job_1', run_id: 'run_1' }
const made = { job_id: 'job_1', name: 'orders', connector_type: 'file', config: '{"n":9007199254740993}' }

/** Events of one job, as their offsets have them; what runs tell is on a stream of its own. */
function fold(...events: [type: string, event: object][]) {
  const tables = foldedTables(jobsProjection)
  const sourced = events.map(([type, event], offset): Sourced => {
    const stream = type === 'RunLogged' ? 'sync.logs-0' : 'sync.jobs-0'
    return { type, event, source: { stream, offset, key: 'job/job_1' } }
  })
  tables.fold(sourced)
  const [job] = tables.rows(jobs)
  return { tables, job, run: job?.run ? JSON.parse(job.run as string) : null }
}

const LIFE: [string, object][] = [
  ['JobConfigured', { ...made, ...stamp(0), created_at: AT }],
  ['RunQueued', { ...RUN, trigger: 'upload', scheduled_at: null, ...stamp(1) }],
  ['RunStarted', { ...RUN, ...stamp(2) }],
  ['RunCheckpointed', { ...RUN, number: 1, state: '{"row":5}', processed: 5, rejected: 1, total: 10, at: AT + 3 }],
  ['RunPaused', { ...RUN, ...stamp(4) }],
  ['RunResumed', { ...RUN, ...stamp(5) }],
  ['RunStarted', { ...RUN, ...stamp(6) }],
  ['RunWaiting', { ...RUN, until: AT + 99, reason: 'busy', failures: 1, ...stamp(7) }],
]
const soFar = {
  ...{ id: 'run_1', trigger: 'upload', scheduled_at: null, state: '{"row":5}', processed: 5, rejected: 1, total: 10 },
  ...{ queued_at: AT + 1, started_at: AT + 2, ended_at: null, waiting_until: null },
  ...{ error: null, result: null, position: null, began_at: AT + 6, began_with: 5 },
}

it('a job and its run stand as their last events say, the run in a row of its own too', () => {
  const { tables, job, run } = fold(...LIFE)
  const waiting = { ...soFar, status: 'waiting', waiting_until: AT + 99 }
  expect(run).toEqual({ ...waiting, offset: 7 })
  const place = { stream: 'sync.jobs-0', offset: 7 }
  expect(tables.rows(runs)).toEqual([{ job_id: 'job_1', ...waiting, ...place }])
  const row = {
    id: 'job_1',
    name: 'orders',
    connector_type: 'file',
    config: made.config,
    configured_by: 'cmd_0',
    status: 'waiting',
  }
  const connector = { connector_state: '{"row":5}', overruled: null, skipped: null }
  const times = { created_at: AT, updated_at: AT + 7 }
  expect(job).toEqual({ ...row, deleted: 0, run: JSON.stringify(run), ...connector, ...times, ...place })
})

it.each([
  ['RunStarted', {}, { status: 'running', began_at: AT + 9 }],
  ['RunPaused', {}, { status: 'paused' }],
  ['RunCancelled', {}, { status: 'cancelled', ended_at: AT + 9 }],
  [
    'RunFailed',
    { code: 'C', message: 'm "quoted"', details: '[{"field":"a","message":"b"}]', position: 'p' },
    {
      ...{ status: 'failed', ended_at: AT + 9, position: 'p' },
      error: '{"code":"C","message":"m \\"quoted\\"","details":[{"field":"a","message":"b"}]}',
    },
  ],
])('%s takes a run on from waiting', (type, more, expected) => {
  const { run, job } = fold(...LIFE, [type, { ...RUN, ...more, ...stamp(9) }])
  expect(run).toEqual({ ...soFar, ...expected, offset: LIFE.length })
  expect(job!.status).toBe(expected.status)
})

it('a completed run has its result and its position', () => {
  const done = { ...RUN, result: '{"rows":5}', position: 'log~x.1', ...stamp(9) }
  const { run } = fold(...LIFE, ['RunStarted', { ...RUN, ...stamp(8) }], ['RunCompleted', done])
  const { result, position } = done
  expect(run).toEqual({
    ...soFar,
    status: 'completed',
    began_at: AT + 8,
    ended_at: AT + 9,
    result,
    position,
    offset: 9,
  })
})

const NEXT: [string, object][] = [
  ['RunCancelled', { ...RUN, ...stamp(9) }],
  ['RunQueued', { ...RUN, run_id: 'run_2', trigger: 'schedule', scheduled_at: AT + 8, ...stamp(10) }],
]
const LATE = { ...RUN, number: 2, state: '{"row":9}', processed: 9, rejected: 1, total: 10, at: AT + 11 }

it('a checkpoint of a run that another has followed says only where the connector is', () => {
  const before = fold(...LIFE, ...NEXT)
  const begun = { status: 'pending', trigger: 'schedule', scheduled_at: AT + 8, processed: 0, state: null }
  expect(before.run).toMatchObject({ id: 'run_2', ...begun, started_at: null })
  expect(before.tables.rows(runs).map(({ id, status, scheduled_at }) => [id, status, scheduled_at])).toEqual([
    ['run_1', 'cancelled', null],
    ['run_2', 'pending', AT + 8],
  ])
  const after = fold(...LIFE, ...NEXT, ['RunCheckpointed', LATE])
  expect(after.tables.rows(runs)).toEqual(before.tables.rows(runs))
  const place = { updated_at: AT + 11, offset: LIFE.length + NEXT.length }
  expect(after.job).toEqual({ ...before.job, ...place, connector_state: '{"row":9}' })
})

it('where the connector is follows the pages, until it is set by hand, and again those of later runs', () => {
  const set = (state: string): [string, object] => [
    'JobStateSet',
    { job_id: 'job_1', state, run_id: 'run_1', ...stamp(12) },
  ]
  const page = (run_id: string): [string, object] => ['RunCheckpointed', { ...LATE, run_id }]
  const connector = (...events: [string, object][]) => fold(...LIFE, ...events).job!.connector_state
  const [cancelled, queued] = NEXT as [[string, object], [string, object]]
  expect(fold(...LIFE.slice(0, 2)).job!.connector_state).toBeNull()
  expect(connector()).toBe('{"row":5}')
  expect(connector(cancelled, set('{"row":0}'))).toBe('{"row":0}')
  expect(connector(cancelled, set('null'))).toBeNull()
  expect(connector(cancelled, set('{"row":0}'), page('run_1'))).toBe('{"row":0}')
  expect(connector(cancelled, set('{"row":0}'), queued, page('run_1'))).toBe('{"row":0}')
  expect(connector(cancelled, set('{"row":0}'), queued, page('run_2'))).toBe('{"row":9}')
  const other: [string, object] = ['JobConfigured', { ...made, connector_type: 'c', ...stamp(13), created_at: AT }]
  expect(connector(cancelled, other)).toBe('{"row":5}')
})

it('the last time of the schedule that had no run is told of, and changes no run', () => {
  const skip = (n: number, reason: string, run_id: string | null): [string, object] => [
    'RunSkipped',
    { job_id: 'job_1', scheduled_at: AT + n, reason, run_id, ...stamp(n + 1) },
  ]
  const before = fold(...LIFE)
  const { job, tables } = fold(...LIFE, skip(10, 'overlap', null), skip(20, 'queued', 'run_3'))
  const skipped = JSON.stringify({ scheduled_at: AT + 20, reason: 'queued', run_id: 'run_3', at: AT + 21 })
  expect(job).toEqual({ ...before.job, skipped, updated_at: AT + 21, offset: LIFE.length + 1 })
  expect(tables.rows(runs)).toEqual(before.tables.rows(runs))
})

it('a run that was stored before runs had times of a schedule goes on as one without', () => {
  const tables = foldedTables(jobsProjection)
  const sourced = LIFE.map(
    ([type, event], offset): Sourced => ({
      type,
      event,
      source: { stream: 'sync.jobs-0', offset, key: 'job/job_1' },
    }),
  )
  tables.fold(sourced.slice(0, 3))
  const [row] = tables.rows(jobs)
  const { scheduled_at: _, ...older } = JSON.parse(row!.run as string)
  tables.put(jobs, 'job_1', { ...row!, run: JSON.stringify(older) })
  tables.fold(sourced.slice(3))
  expect(tables.rows(runs)[0]).toMatchObject({ status: 'waiting', scheduled_at: null })
})

it('a job that is configured anew keeps its run and when it was made; a deleted one stays as a mark', () => {
  const anew = { ...made, name: 'all orders', config: '{}', ...stamp(9), created_at: AT }
  const { job, run } = fold(...LIFE, ['JobConfigured', anew])
  const kept = { status: 'waiting', connector_state: '{"row":5}', created_at: AT }
  expect(job).toMatchObject({ name: 'all orders', config: '{}', ...kept, updated_at: AT + 9 })
  expect(run).toMatchObject({ id: 'run_1', status: 'waiting' })
  expect(fold(...LIFE, ['JobDeleted', { job_id: 'job_1', ...stamp(9) }]).job).toMatchObject({ deleted: 1 })
})

it('what runs tell is kept in its order, with a rank that a least level is asked by', () => {
  const told = ['error', 'debug', 'warning', 'info'].map((level, n): [string, object] => [
    'RunLogged',
    { ...RUN, level, message: `m${n}`, metadata: `{"n":${n}}`, at: AT + n },
  ])
  const rows = fold(...LIFE.slice(0, 2), ...told).tables.rows(runLogs)
  const inOrder = rows.toSorted((a, b) => (a.place! < b.place! ? -1 : 1))
  expect(inOrder.map(({ message, entry }) => [message, JSON.parse(entry as string)])).toEqual([
    ['m0', { rank: 3, at: AT }],
    ['m1', { rank: 0, at: AT + 1 }],
    ['m2', { rank: 2, at: AT + 2 }],
    ['m3', { rank: 1, at: AT + 3 }],
  ])
  expect(rows[0]).toMatchObject({ job_id: 'job_1', run_id: 'run_1', level: 'error', metadata: '{"n":0}' })
})

it('whatever happens, a job shows its last run as the row of that run has it', () =>
  property(100, random => {
    const tables = foldedTables(jobsProjection)
    tables.fold(randomJobEvents(random, 150))
    for (const job of tables.rows(jobs)) {
      const own = tables.rows(runs).filter(run => run.job_id === job.id)
      if (job.run === null) expect([own, job.status]).toEqual([[], 'pending'])
      else {
        const run = JSON.parse(job.run as string)
        expect(job.status).toBe(run.status)
        expect(own.find(({ id }) => id === run.id)).toMatchObject(run)
        const ended = own.filter(({ id }) => id !== run.id).map(({ status }) => status)
        for (const status of ended) expect(['cancelled', 'completed', 'failed']).toContain(status)
      }
    }
  }))
