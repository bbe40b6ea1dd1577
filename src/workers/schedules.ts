import { createHash } from 'node:crypto'
import { type JobSchedule, lastRun, nextRun, policiesOf } from '../catalog/schedules/index.ts'
import type { JobCommand } from '../domain/job.ts'
import { DomainError } from '../kernel/errors.ts'
import { timeOrderedId } from '../kernel/id.ts'
import type { Slots } from '../kernel/slots.ts'
import type { Commands } from '../log/commands.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Job } from './jobs-held.ts'

export interface SchedulesOptions {
  /** The jobs of a stream, as they have been followed. */
  readonly jobs: ReadonlyMap<string, Job>
  readonly commands: Pick<Commands, 'send'>
  readonly logger: Logger
  /** What bounds the commands under way: at midnight many jobs come at once. */
  readonly slots: Slots
  readonly signal: AbortSignal
}

/** Rings when the next time of a job comes. */
export interface Schedules {
  /** To be called whenever something has become of a job. */
  look(id: string): void
  /** To be called about every second: finds out that the clock was set, or that the machine slept. */
  tick(): void
  stop(): Promise<void>
}

const ACTOR = 'schedule'
/** setTimeout takes no more than 2^31 - 1 ms: a longer alarm rings early, and is set again. */
export const MOST_DELAY_MS = 2_000_000_000
/** How long one rests that could not be told to the decider, or was not decided. */
const REST_MS = 2000
/** A time that is as long ago was missed, although somebody was there: asleep, or unable to reach a decider. */
const LATE_MS = 60_000
/** By how much the clock may go wrong between two ticks. */
const JUMP_MS = 1000

/**
 * Asks for a run of each job at the times of its schedule, from now on. Times that have come before, while nobody held
 * the job, were missed: of them only the last one is asked about. What is asked twice, by two who hold the same job or by
 * one who died in between, is refused by the job, which decides on each time once.
 */
export function keepSchedules({ jobs, commands, logger, slots, signal }: SchedulesOptions): Schedules {
  const since = Date.now()
  const alarms = new Map<string, NodeJS.Timeout>()
  const asking = new Map<string, Promise<void>>()
  /** The last time of each job that was asked about here: the event that tells of it may be yet to come. */
  const asked = new Map<string, number>()
  const restingUntil = new Map<string, number>()
  /** Those that were told of. */
  const broken = new WeakSet<Job['config']>()
  let clock = readClock()

  function look(id: string): void {
    clearTimeout(alarms.get(id))
    alarms.delete(id)
    const job = jobs.get(id)
    if (!job) for (const each of [asked, restingUntil]) each.delete(id)
    if (!job || signal.aborted || asking.has(id)) return
    try {
      plan(job)
    } catch (error) {
      // A time zone that another machine has, say: one such job must not stop the others.
      if (!broken.has(job.config)) logger.error({ err: error, job_id: id }, 'a schedule cannot be kept')
      broken.add(job.config)
    }
  }

  /** Sets the alarm for the job's next time, or asks for its run when that has come. */
  function plan({ id, state, config: { schedule }, scheduledSince }: Job): void {
    if (state.is !== 'job' || !schedule) return
    const now = Date.now()
    const after = Math.max(state.handled, scheduledSince, asked.get(id) ?? 0)
    const next = nextRun(schedule, after, state.createdAt)
    if (next === undefined) return
    const delay = Math.max(next, restingUntil.get(id) ?? 0) - now
    if (delay > 0) alarms.set(id, setTimeout(() => look(id), Math.min(delay, MOST_DELAY_MS)).unref())
    else ask(id, schedule, lastRun(schedule, after, now, state.createdAt)!, now)
  }

  function ask(id: string, schedule: JobSchedule, due: number, now: number): void {
    const { overlap, missed } = policiesOf(schedule)
    const wasMissed = due < since || now - due > LATE_MS
    const run_id = scheduledRunId(id, due)
    const command: JobCommand =
      wasMissed && missed === 'skip'
        ? { type: 'SkipRun', data: { job_id: id, scheduled_at: due } }
        : { type: 'ScheduleRun', data: { job_id: id, run_id, scheduled_at: due, overlap } }
    const done = slots
      .take(signal, () => commands.send(`job/${id}`, command, { actor: ACTOR, requestId: run_id }))
      .then(
        () => void asked.set(id, due),
        error => refused(error, id, due),
      )
      .then(() => {
        asking.delete(id)
        look(id)
      })
    asking.set(id, done)
  }

  function refused(error: unknown, id: string, due: number): void {
    if (signal.aborted) return
    const code = error instanceof DomainError ? error.code : undefined
    // Somebody else was faster, or the job is gone.
    if (code === 'CONFLICT' || code === 'NOT_FOUND') asked.set(id, due)
    else {
      logger.warn({ err: error, job_id: id, scheduled_at: due }, 'a run could not be scheduled, trying again')
      restingUntil.set(id, Date.now() + REST_MS)
    }
  }

  return {
    look,
    tick() {
      const now = readClock()
      const jumped = Math.abs(now.wall - clock.wall - (now.steady - clock.steady)) > JUMP_MS
      clock = now
      if (jumped) for (const id of [...alarms.keys()]) look(id)
    },
    async stop() {
      for (const alarm of alarms.values()) clearTimeout(alarm)
      alarms.clear()
      await Promise.all(asking.values())
    },
  }
}

/** Alarms go by the steady clock, which stands still while the machine sleeps; times by the other, which may be set. */
function readClock(): { wall: number; steady: number } {
  return { wall: Date.now(), steady: performance.now() }
}

/** The id of a run for a time: the same whoever asks for it. */
export function scheduledRunId(jobId: string, time: number): string {
  return timeOrderedId('run', time, createHash('sha256').update(jobId).digest().subarray(0, 12))
}
