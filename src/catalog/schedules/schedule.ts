import type { z } from 'zod'

/**
 * A schedule: when a job runs by itself. Pure: it is told the time. To add one: a file here with such an object, and a line
 * in index.ts.
 */
export interface Schedule<Config extends z.ZodType = z.ZodType> {
  readonly type: string
  readonly summary: string
  /** What a job says under `schedule`, `type` included, and `overlap` and `missed` left out. */
  readonly config: Config
  /** Throws a VALIDATION_ERROR whose field is within the schedule, for one that is wrong or never comes. */
  check?(config: z.output<Config>, now: number): void
  /**
   * The first time after `after` at which the job is to run, undefined when there is none. Times are milliseconds since
   * 1970; `createdAt` is when the job was made.
   */
  next(config: z.output<Config>, after: number, createdAt: number): number | undefined
}

export function defineSchedule<Config extends z.ZodType>(schedule: Schedule<Config>): Schedule {
  return schedule as unknown as Schedule
}
