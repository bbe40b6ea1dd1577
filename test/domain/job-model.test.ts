import { expect, it } from 'vitest'
import { type JobCommand, type JobEvent, jobDecider } from '../../src/domain/job.ts'
import { property, type Random } from '../kit/random.ts'

/**
 * A job as a drawing of its states: from each, which commands lead where. Written anew, not read off the decider. A run
 * is told by its number.
 */
const ARROWS: Record<string, Record<string, string>> = {
  absent: { create: 'idle', createQueued: 'queued' },
  idle: { start: 'queued', update: 'idle', delete: 'deleted', force: 'deleted' },
  queued: { pause: 'paused', cancel: 'idle', begin: 'running', fail: 'idle', update: 'queued', force: 'deleted' },
  running: {
    ...{ pause: 'paused', cancel: 'idle', begin: 'running', wait: 'waiting', complete: 'idle', fail: 'idle' },
    ...{ update: 'running', force: 'deleted' },
  },
  waiting: { pause: 'paused', cancel: 'idle', begin: 'running', fail: 'idle', update: 'waiting', force: 'deleted' },
  paused: { resume: 'queued', cancel: 'idle', update: 'paused', force: 'deleted' },
  deleted: {},
}
/** Commands that name the run they mean. */
const OF_A_RUN = ['begin', 'wait', 'complete', 'fail']
const NAMES = [...new Set(Object.values(ARROWS).flatMap(Object.keys))]

function commandOf(name: string, run_id: string): JobCommand {
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
  }
  return commands[name]!
}

const ENDS = ['RunCancelled', 'RunCompleted', 'RunFailed', 'JobDeleted']

/** Sends random commands; gives back all events. */
function live(random: Random, count: number): JobEvent[] {
  const events: JobEvent[] = []
  let state = jobDecider.initial
  let at = 'absent'
  let runs = 0
  for (let n = 0; n < count; n++) {
    // Deleting is rare, or no life would be long.
    const name = random.pick(NAMES.filter(each => !['delete', 'force'].includes(each) || random.chance(0.05)))
    const fresh = name === 'start' || name === 'createQueued'
    const run = fresh ? runs + 1 : Math.max(0, runs - (random.chance(0.2) ? 1 + random.int(2) : 0))
    const stale = OF_A_RUN.includes(name) && run !== runs
    const next = stale ? undefined : ARROWS[at]![name]
    const meta = { command_id: `cmd_${n}`, actor: 'a', request_id: 'r', at: n }
    const decision = jobDecider.decide(state, { ...commandOf(name, `run_${run}`), meta })
    const told = `${name} of run ${run} when ${at} in run ${runs}`
    expect([told, decision.refusal === undefined]).toEqual([told, next !== undefined])
    expect([told, decision.events.length > 0]).toEqual([told, next !== undefined])
    for (const { data } of decision.events) {
      expect(data).toMatchObject({ command_id: meta.command_id, by: 'a', at: n, job_id: 'job_1' })
    }
    events.push(...decision.events)
    state = decision.events.reduce(jobDecider.evolve, state)
    if (next === undefined) continue
    if (fresh) runs = run
    at = next
    const { is, ...rest } = state
    expect([told, is]).toEqual([told, at === 'deleted' ? 'deleted' : 'job'])
    if ('status' in rest && runs > 0 && at !== 'idle') expect(rest).toMatchObject({ status: at, runId: `run_${runs}` })
  }
  return events
}

it('any commands in any order: what is accepted is what the drawing allows', () =>
  property(300, random => {
    const events = live(random, 60)
    let under: string | undefined
    for (const { type, data } of events) {
      if (type === 'RunQueued') {
        expect(under).toBeUndefined()
        under = data.run_id
      } else if ('run_id' in data) expect(data.run_id).toBe(under)
      if (ENDS.includes(type)) under = undefined
    }
  }))

it('lives are long enough to see every arrow', async () => {
  const seen = new Set<string>()
  await property(50, random => {
    for (const { type } of live(random, 200)) seen.add(type)
  })
  expect([...seen].sort()).toEqual(
    ['JobConfigured', 'JobDeleted', 'RunQueued', 'RunStarted', 'RunPaused', 'RunResumed', 'RunWaiting', ...ENDS]
      .filter((type, n, all) => all.indexOf(type) === n)
      .sort(),
  )
})
