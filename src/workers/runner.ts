import { connectorOf } from '../catalog/connectors/index.ts'
import type { JobEvent } from '../domain/job.ts'
import { createSlots, type Lend, type Slots } from '../kernel/slots.ts'
import { createCodec } from '../log/codec.ts'
import type { Stream } from '../log/log.ts'
import { evolveJob, type Job, wantedRun } from './jobs-held.ts'
import type { RunContext } from './run-context.ts'
import { runOnce } from './runs.ts'
import { keepSchedules, MOST_DELAY_MS, type Schedules } from './schedules.ts'
import { shareOut } from './share-out.ts'

export interface RunnerOptions extends Omit<RunContext, 'stream' | 'seen' | 'patiently'> {
  /**
   * Most runs that are open at once, most of those that have something to do, and most of the heavy ones, which count by
   * themselves: those that take threads, and those that take memory.
   */
  readonly concurrency: {
    readonly open: number
    readonly runs: number
    readonly threads: number
    readonly memory: number
  }
  /** Told which streams of jobs are run here from now on. */
  readonly onHolding: (streams: readonly Stream[]) => void
  /** Told how far each stream of jobs has been followed. */
  readonly onProgress: (stream: string, through: number) => void
}

const GROUP = 'runner'
export const JOBS = 'sync.jobs'
const LIMITS = { maxEvents: 5000, maxBytes: 4_194_304 }
/** How long a run rests that broke off because something of ours was not there: a broker, a decider. */
const REST_MS = 2000
/** Most runs of schedules that are being asked for at once. */
const ASKED_AT_ONCE = 32

/**
 * Runs jobs, and asks for runs at the times of their schedules. Runners share the streams of jobs among them, and each
 * cares for those whose stream it holds: a job is with one runner at a time. What it appends for a job carries the job's
 * own checkpoint, so one that was taken over from, and does not know yet, can write nothing.
 */
export function startRunner(options: RunnerOptions): Promise<{ stop(): Promise<void> }> {
  const { log, logger, onHolding } = options
  const { open, runs, threads, memory } = options.concurrency
  const slots = {
    ...{ open: createSlots(open), runs: createSlots(runs) },
    ...{ thread: createSlots(threads), memory: createSlots(memory) },
    times: createSlots(ASKED_AT_ONCE),
  }
  const run = (stream: Stream, signal: AbortSignal) => hold(options, slots, stream, signal)
  return shareOut({ log, group: GROUP, topic: JOBS, logger, onHolding, run })
}

interface Running {
  readonly runId: string
  readonly stopping: AbortController
  readonly done: Promise<void>
}

/** Follows a stream of jobs and keeps those running that should be, until `signal` aborts or following fails. */
async function hold(
  options: RunnerOptions,
  slots: Readonly<Record<'open' | 'runs' | 'thread' | 'memory' | 'times', Slots>>,
  stream: Stream,
  signal: AbortSignal,
): Promise<void> {
  const { log, logger, commands, onProgress } = options
  const codec = createCodec(log)
  const jobs = new Map<string, Job>()
  const running = new Map<string, Running>()
  const timers = new Map<string, NodeJS.Timeout>()
  const followed = createFollowed()

  /** Starts, stops or sets an alarm, so that a job runs when it should and only then. */
  function look(id: string): void {
    const job = jobs.get(id)
    const wanted = job && wantedRun(job)
    const now = running.get(id)
    clearTimeout(timers.get(id))
    if (now) {
      if (now.runId !== wanted?.runId) now.stopping.abort()
      return
    }
    if (!job || !wanted || signal.aborted) return
    const delay = Math.max(wanted.from, job.restUntil) - Date.now()
    if (delay > 0) timers.set(id, setTimeout(() => look(id), Math.min(delay, MOST_DELAY_MS)).unref())
    else start(id, job, wanted.runId)
  }

  function start(id: string, job: Job, runId: string): void {
    const stopping = new AbortController()
    const either = AbortSignal.any([stopping.signal, signal])
    const context = { ...options, stream, seen: followed.until }
    const heavy = connectorOf(job.config.connector.type)?.heavy
    const inOwn = () =>
      // What takes a thread of its own, or memory, has it while it waits, too.
      heavy
        ? slots[heavy].take(either, () => runOnce({ ...context, patiently: wait => wait }, job, runId, either))
        : slots.runs.take(either, lend => runOnce({ ...context, patiently: patientWith(lend) }, job, runId, either))
    const done = slots.open
      .take(either, inOwn)
      .catch(error => {
        if (either.aborted) return
        logger.error({ err: error, job_id: id, run_id: runId }, 'a run broke off and begins again')
        job.restUntil = Date.now() + REST_MS
      })
      .then(() => {
        running.delete(id)
        look(id)
      })
    running.set(id, { runId, stopping, done })
  }

  let schedules: Schedules | undefined
  try {
    const end = (await log.ends(JOBS)).get(stream.name)!
    for (let after = -1; !signal.aborted; ) {
      const page = await log.read(stream, after, { ...LIMITS, waitMs: 1000, signal })
      await codec.prepare(page.events)
      const touched = new Set(page.events.map(({ value }) => evolveJob(jobs, codec.decode(value) as JobEvent)))
      after = page.through
      followed.advance(after)
      onProgress(stream.name, after)
      if (after < end) continue
      const looked = schedules ? touched : jobs.keys()
      schedules ??= keepSchedules({ jobs, commands, logger, slots: slots.times, signal })
      schedules.tick()
      for (const id of looked) {
        look(id)
        schedules.look(id)
      }
    }
  } finally {
    for (const timer of timers.values()) clearTimeout(timer)
    for (const { stopping } of running.values()) stopping.abort()
    await schedules?.stop()
    await Promise.all([...running.values()].map(({ done }) => done))
  }
}

/** How long a run may wait for others before it lends its slot to somebody who has something to do. */
const LEND_AFTER_MS = 500

function patientWith(lend: Lend): Lend {
  return async wait => {
    const late = Symbol('late')
    let timer: NodeJS.Timeout | undefined
    const lateness = new Promise<symbol>(resolve => {
      timer = setTimeout(resolve, LEND_AFTER_MS, late)
    })
    try {
      const first = await Promise.race([wait, lateness])
      return first === late ? await lend(wait) : await wait
    } finally {
      clearTimeout(timer)
    }
  }
}

/** Lets runs wait until the stream has been followed up to a place. */
function createFollowed() {
  let through = -1
  const waiting = new Set<() => void>()
  return {
    advance(to: number) {
      through = to
      for (const look of waiting) look()
    },
    until(offset: number, signal: AbortSignal): Promise<void> {
      return new Promise((resolve, reject) => {
        const look = () => {
          if (signal.aborted) reject(signal.reason)
          else if (through >= offset) resolve()
          else return
          waiting.delete(look)
          signal.removeEventListener('abort', look)
        }
        waiting.add(look)
        signal.addEventListener('abort', look)
        look()
      })
    },
  }
}
