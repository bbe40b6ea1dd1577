import type { JobSchedule } from '../../src/catalog/schedules/index.ts'
import { type JobCommand, type JobEvent, type JobState, jobDecider } from '../../src/domain/job.ts'
import { DomainError } from '../../src/kernel/errors.ts'
import { createSlots } from '../../src/kernel/slots.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { evolveJob, type Job } from '../../src/workers/jobs-held.ts'
import { keepSchedules, type Schedules } from '../../src/workers/schedules.ts'

export const NOW = Date.UTC(2026, 0, 15, 10, 30)
/** Most commands that a holder has under way. */
export const AT_ONCE = 2

interface Held {
  readonly jobs: Map<string, Job>
  readonly schedules: Schedules
  readonly stopping: AbortController
  /** How long after they were decided it sees events; 0: at once. */
  readonly lagMs: number
}

/** Jobs that are decided at once, and any number of holders that keep their schedules, by the clock of the test. */
export function scheduledJobs() {
  const states = new Map<string, JobState>()
  const past: JobEvent[] = []
  const holders = new Set<Held>()
  /** What was asked, `when command for which time`, in seconds after NOW, and what was refused. */
  const asked: string[] = []
  /** How the next commands of schedules are refused before anybody decides. */
  const refusals: (() => Error)[] = []
  let underWay = 0

  /** Decides a command; whoever holds jobs then follows its events. */
  async function send(id: string, command: JobCommand, actor = 'cli_1'): Promise<void> {
    const was = states.get(id) ?? jobDecider.initial
    const meta = { command_id: 'cmd', actor, request_id: 'req', at: Date.now() }
    const decision = jobDecider.decide(was, { ...command, meta })
    const events = decision.events as readonly JobEvent[]
    states.set(id, events.reduce(jobDecider.evolve, was))
    past.push(...events)
    for (const { jobs, schedules, lagMs } of holders) {
      const follow = () => {
        for (const event of events) evolveJob(jobs, event)
        schedules.look(id)
      }
      if (lagMs === 0) follow()
      else setTimeout(follow, lagMs)
    }
    if (decision.refusal) throw new DomainError(decision.refusal.code, decision.refusal.message)
  }

  const commands = {
    async send(aggregate: string, { type, data }: { type: string; data: object }, { actor }: { actor: string }) {
      const { scheduled_at } = data as { scheduled_at: number }
      const said = `${(Date.now() - NOW) / 1000} ${type} ${(scheduled_at - NOW) / 1000}`
      if (++underWay > AT_ONCE * holders.size) throw new Error('too many at once')
      try {
        const refusal = refusals.shift()
        if (refusal) throw refusal()
        await send(aggregate.slice('job/'.length), { type, data } as JobCommand, actor)
        asked.push(said)
      } catch (error) {
        asked.push(`${said} ${error instanceof DomainError ? error.code : 'failed'}`)
        throw error
      } finally {
        underWay--
      }
      return { log: 'l', offsets: new Map() }
    },
  }

  /** Holds all jobs from now on, after it has followed what there is. */
  function hold(lagMs = 0) {
    const stopping = new AbortController()
    const jobs = new Map<string, Job>()
    for (const event of past) evolveJob(jobs, event)
    const logger = createLogger('silent')
    const schedules = keepSchedules({ jobs, commands, logger, slots: createSlots(AT_ONCE), signal: stopping.signal })
    const held = { jobs, schedules, stopping, lagMs }
    holders.add(held)
    for (const id of jobs.keys()) schedules.look(id)
    return { schedules, die: () => die(held) }
  }

  async function die(held: Held): Promise<void> {
    holders.delete(held)
    held.stopping.abort()
    await held.schedules.stop()
  }

  const settings = (id: string, schedule: JobSchedule | undefined) => ({
    ...{ job_id: id, name: id, connector_type: 'c' },
    config: JSON.stringify({ connector: { type: 'c', config: {} }, target: {}, schedule }),
  })
  return {
    past,
    asked,
    refusals,
    send,
    hold,
    create: (id: string, schedule?: JobSchedule) => send(id, { type: 'CreateJob', data: settings(id, schedule) }),
    update: (id: string, schedule?: JobSchedule) => send(id, { type: 'UpdateJob', data: settings(id, schedule) }),
    /** Ends the run under way. */
    async complete(id: string): Promise<void> {
      const { runId: run_id } = states.get(id) as { runId: string }
      await send(id, { type: 'BeginRun', data: { job_id: id, run_id } }, 'runner')
      await send(id, { type: 'CompleteRun', data: { job_id: id, run_id, result: null, position: null } }, 'runner')
    },
    stop: () => Promise.all([...holders].map(die)),
  }
}
