import { z } from 'zod'
import { DomainError, type ErrorDetail, invalid } from '../../kernel/errors.ts'
import { cron } from './cron.ts'
import { interval } from './interval.ts'
import { manual } from './manual.ts'
import { once } from './once.ts'
import type { Schedule } from './schedule.ts'

/** Every schedule there is: a schedule a file, a line here. */
export const schedules: readonly Schedule[] = [manual, once, interval, cron]

const policies = z.object({
  /** What becomes of a time that comes while a run is under way: nothing, or one run after it. Skip without it. */
  overlap: z.enum(['skip', 'queue']).optional(),
  /** What becomes of times at which nobody was there to run it: one run for all of them, or none. One without it. */
  missed: z.enum(['run_once', 'skip']).optional(),
})

export type Overlap = NonNullable<z.output<typeof policies>['overlap']>
export type Missed = NonNullable<z.output<typeof policies>['missed']>

/** A job's `schedule`, as its maker gave it and `checkSchedule` found it right. */
export interface JobSchedule extends z.output<typeof policies> {
  readonly type: string
  /** What schedules of the type have besides. */
  readonly [field: string]: unknown
}

/** What becomes of times that cannot be kept. */
export function policiesOf({ overlap = 'skip', missed = 'run_once' }: JobSchedule): {
  overlap: Overlap
  missed: Missed
} {
  return { overlap, missed }
}

const shape = z.looseObject({ type: z.string() })

/**
 * Checks a schedule that somebody gave, at `now`. Throws a VALIDATION_ERROR with a detail for each fault, whose field is
 * below `field`. One that the job has already, `was`, is still right when its time is over.
 */
export function checkSchedule(given: unknown, field: string, now: number, was?: JobSchedule): JobSchedule {
  const shaped = shape.safeParse(given)
  if (!shaped.success) throw faulty(detailsOf(shaped.error, field))
  const { type } = shaped.data
  const found = schedules.find(schedule => schedule.type === type)
  if (!found) {
    const known = schedules.map(schedule => schedule.type).join(', ')
    throw invalid(`${field}.type`, `${JSON.stringify(type.slice(0, 60))} is none of ${known}`)
  }
  const { overlap: _, missed: __, ...own } = shaped.data
  const [config, rules] = [found.config.safeParse(own), policies.safeParse(shaped.data)]
  const details = [config, rules].flatMap(({ error }) => (error ? detailsOf(error, field) : []))
  if (details.length > 0) throw faulty(details)
  const schedule = { ...(config.data as object), ...rules.data } as JobSchedule
  const same = was !== undefined && JSON.stringify(was) === JSON.stringify(schedule)
  try {
    found.check?.(config.data, same ? Number.NEGATIVE_INFINITY : now)
  } catch (error) {
    if (!(error instanceof DomainError)) throw error
    throw faulty(error.details.map(detail => ({ ...detail, field: `${field}.${detail.field}` })))
  }
  return schedule
}

/** The first time after `after` at which a job that was made at `createdAt` is to run, undefined for none. */
export function nextRun(schedule: JobSchedule, after: number, createdAt: number): number | undefined {
  const { overlap: _, missed: __, ...config } = schedule
  return schedules.find(({ type }) => type === schedule.type)?.next(config, after, createdAt)
}

/** The next times after `after`, at most `count`. */
export function nextRuns(schedule: JobSchedule, after: number, createdAt: number, count: number): number[] {
  const times: number[] = []
  while (times.length < count) {
    const time = nextRun(schedule, times.at(-1) ?? after, createdAt)
    if (time === undefined) break
    times.push(time)
  }
  return times
}

/** The last time after `after`, and `now` at the latest; undefined for none. */
export function lastRun(schedule: JobSchedule, after: number, now: number, createdAt: number): number | undefined {
  let last: number | undefined
  // There is one after `low` and none after `high`.
  for (let low = after, high = now; low < high; ) {
    const middle = last === undefined ? low : Math.floor((low + high) / 2)
    const time = nextRun(schedule, middle, createdAt)
    if (time !== undefined && time <= now) {
      last = time
      low = time
    } else if (last === undefined) return undefined
    else high = middle
  }
  return last
}

function detailsOf(error: z.ZodError, field: string): ErrorDetail[] {
  return error.issues.map(({ path, message, code, ...more }) => {
    // An unknown key is named by its own path, not by that of the object around it.
    const keys = code === 'unrecognized_keys' ? (more as { keys: string[] }).keys.slice(0, 1) : []
    return { field: [field, ...path, ...keys].map(String).join('.'), message }
  })
}

function faulty(details: readonly ErrorDetail[]): DomainError {
  const [{ field, message }] = details as [ErrorDetail]
  return new DomainError('VALIDATION_ERROR', `${field}: ${message}`, { details })
}
