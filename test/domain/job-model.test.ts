import { expect, it } from 'vitest'
import { type JobCommand, type JobEvent, jobDecider } from '../../src/domain/job.ts'
import { property, type Random } from '../kit/random.ts'

/**
 * A job as a drawing of its states: from each, which commands lead where. Written anew, not read off the decider. `end`
 * is idle, or queued when a run is to follow; `time` is queued from idle, and else leaves the job where it is.
 */
const UNDER = { cancel: 'end', force: 'deleted', time: 'same', miss: 'same' }
const ARROWS: Record<string, Record<string, string>> = {
  absent: { create: 'idle', createQueued: 'queued' },
  idle: {
    ...{ start: 'queued', time: 'queued', miss: 'idle' },
    ...{ update: 'idle', set: 'idle', delete: 'deleted', force: 'deleted' },
  },
  queued: { ...UNDER, pause: 'paused', begin: 'running', fail: 'end' },
  running: { ...UNDER, pause: 'paused', begin: 'running', wait: 'waiting', complete: 'end', fail: 'end' },
  waiting: { ...UNDER, pause: 'paused', begin: 'running', fail: 'end' },
  paused: { ...UNDER, resume: 'queued' },
  deleted: {},
}
/** Commands that name the run they mean. */
const OF_A_RUN = ['begin', 'wait', 'complete', 'fail']
/** Commands about a time of the schedule: each is decided on once, and none before one that was. */
const OF_A_TIME = ['time', 'miss']
const NAMES = [...new Set(Object.values(ARROWS).flatMap(Object.keys))]

interface Model {
  at: string
  run: string
  handled: number
  follows: { run: string; time: number } | undefined
}

interface Asked {
  readonly name: string
  readonly run: string
  readonly time: number
  readonly overlap: 'skip' | 'queue'
}

/** What a command makes of a job, and which events follow; undefined when it is refused. */
function model(was: Model, { name, run, time, overlap }: Asked): { next: Model; types: string[] } | undefined {
  const to = ARROWS[was.at]![name]
  if (to === undefined) return undefined
  if (OF_A_RUN.includes(name) && run !== was.run) return undefined
  if (OF_A_TIME.includes(name)) {
    if (time <= was.handled) return undefined
    const next = { ...was, handled: time }
    if (name === 'miss') return { next, types: ['RunSkipped missed'] }
    if (was.at === 'idle') return { next: { ...next, at: 'queued', run }, types: ['RunQueued'] }
    if (overlap === 'skip' || was.follows) return { next, types: ['RunSkipped overlap'] }
    return { next: { ...next, follows: { run, time } }, types: ['RunSkipped queued'] }
  }
  const types = [TYPES[name]!].flat()
  if (to !== 'end') return { next: { ...was, at: to, run: FRESH.includes(name) ? run : was.run }, types }
  if (!was.follows) return { next: { ...was, at: 'idle' }, types }
  const next = { ...was, at: 'queued', run: was.follows.run, follows: undefined }
  return { next, types: [...types, 'RunQueued'] }
}

const FRESH = ['start', 'createQueued']
const TYPES: Record<string, string | string[]> = {
  ...{ create: 'JobConfigured', createQueued: ['JobConfigured', 'RunQueued'], update: 'JobConfigured' },
  ...{ delete: 'JobDeleted', force: 'JobDeleted', start: 'RunQueued', pause: 'RunPaused', resume: 'RunResumed' },
  ...{ cancel: 'RunCancelled', begin: 'RunStarted', wait: 'RunWaiting', complete: 'RunCompleted', fail: 'RunFailed' },
  set: 'JobStateSet',
}

function commandOf({ name, run: run_id, time: scheduled_at, overlap }: Asked): JobCommand {
  const job_id = 'job_1'
  const settings = { job_id, name: 'n', connector_type: 'rest_api', config: '{}' }
  const commands: Record<string, JobCommand> = {
    create: { type: 'CreateJob', data: settings },
    createQueued: { type: 'CreateJob', data: { ...settings, queue: { run_id, trigger: 'upload' } } },
    update: { type: 'UpdateJob', data: settings },
    delete: { type: 'DeleteJob', data: { job_id, force: false } },
    force: { type: 'DeleteJob', data: { job_id, force: true } },
    start: { type: 'StartJob', data: { job_id, run_id, trigger: 'manual' } },
    pause: { type: 'PauseJob', data: { job_id } },
    resume: { type: 'ResumeJob', data: { job_id } },
    cancel: { type: 'CancelJob', data: { job_id } },
    begin: { type: 'BeginRun', data: { job_id, run_id } },
    wait: { type: 'WaitRun', data: { job_id, run_id, until: 1, reason: 'r', failures: 0 } },
    complete: { type: 'CompleteRun', data: { job_id, run_id, result: null, position: null } },
    fail: { type: 'FailRun', data: { job_id, run_id, code: 'c', message: 'm', details: '[]', position: null } },
    time: { type: 'ScheduleRun', data: { job_id, run_id, scheduled_at, overlap } },
    miss: { type: 'SkipRun', data: { job_id, scheduled_at } },
    set: { type: 'SetState', data: { job_id, state: '{}' } },
  }
  return commands[name]!
}

const ENDS = ['RunCancelled', 'RunCompleted', 'RunFailed', 'JobDeleted']
const told = ({ type, data }: JobEvent) => (type === 'RunSkipped' ? `${type} ${data.reason}` : type)

/** Sends random commands; gives back all events. */
function live(random: Random, count: number): JobEvent[] {
  const events: JobEvent[] = []
  let state = jobDecider.initial
  let is: Model = { at: 'absent', run: 'none', handled: 0, follows: undefined }
  for (let n = 0; n < count; n++) {
    // Deleting is rare, or no life would be long.
    const name = random.pick(NAMES.filter(each => !['delete', 'force'].includes(each) || random.chance(0.05)))
    const run = OF_A_RUN.includes(name) ? (random.chance(0.8) ? is.run : `run_${random.int(n + 1)}`) : `run_${n}`
    const asked: Asked = { name, run, time: is.handled + random.int(4) - 1, overlap: random.pick(['skip', 'queue']) }
    const meta = { command_id: `cmd_${n}`, actor: `actor ${n}`, request_id: 'r', at: n }
    const decision = jobDecider.decide(state, { ...commandOf(asked), meta })
    const expected = model(is, asked)
    const what = JSON.stringify([asked, is])
    expect([what, decision.refusal?.code]).toEqual([what, expected ? undefined : expect.any(String)])
    expect([what, decision.events.map(told)]).toEqual([what, expected?.types ?? []])
    for (const { data } of decision.events)
      expect(data).toMatchObject({ command_id: meta.command_id, at: n, job_id: 'job_1' })
    expect(decision.events[0]?.data ?? {}).toMatchObject(decision.events[0] ? { by: meta.actor } : {})
    events.push(...decision.events)
    state = decision.events.reduce(jobDecider.evolve, state)
    if (!expected) continue
    is = expected.next
    expect([what, state.is]).toEqual([what, is.at === 'deleted' ? 'deleted' : 'job'])
    if (state.is !== 'job') continue
    expect([what, state.handled, state.follows?.runId]).toEqual([what, is.handled, is.follows?.run])
    if (is.at !== 'idle') expect([what, state.status, state.runId]).toEqual([what, is.at, is.run])
  }
  return events
}

it('any commands in any order: what is accepted is what the drawing allows', () =>
  property(300, random => {
    const events = live(random, 60)
    let under: string | undefined
    let last: string | null = null
    const times: number[] = []
    for (const { type, data } of events) {
      if (type === 'RunQueued') {
        expect(under).toBeUndefined()
        under = data.run_id
        last = under
        if (data.scheduled_at !== null) times.push(data.scheduled_at)
      } else if (type === 'JobStateSet') expect(data.run_id).toBe(last)
      else if ('run_id' in data && type !== 'RunSkipped') expect(data.run_id).toBe(under)
      if (ENDS.includes(type)) under = undefined
    }
    // No time of the schedule has two runs, and they come in their order.
    expect(times).toEqual([...new Set(times)].sort((a, b) => a - b))
  }))

it('of a run that follows another is told who asked for it', () =>
  property(100, random => {
    const asked = new Map<string, string>()
    for (const { type, data } of live(random, 100)) {
      if (type === 'RunSkipped' && data.run_id !== null) asked.set(data.run_id, data.by)
      if (type === 'RunQueued' && asked.has(data.run_id)) expect(data.by).toBe(asked.get(data.run_id))
    }
  }))

it('lives are long enough to see every arrow', async () => {
  const seen = new Set<string>()
  await property(50, random => {
    for (const event of live(random, 200)) seen.add(told(event))
  })
  const skips = ['RunSkipped missed', 'RunSkipped overlap', 'RunSkipped queued']
  expect([...seen].sort()).toEqual([...new Set([...Object.values(TYPES).flat(), ...skips])].sort())
})
