import { z } from 'zod'
import { defineSchedule } from './schedule.ts'

/** A hundred years. */
const MOST_SECONDS = 3_155_760_000

export const interval = defineSchedule({
  type: 'interval',
  summary: 'Runs every so many seconds, counted from when the job was made.',
  config: z.strictObject({ type: z.literal('interval'), seconds: z.int().min(1).max(MOST_SECONDS) }),
  next({ seconds }, after, createdAt) {
    const gone = Math.floor((after - createdAt) / (seconds * 1000))
    return createdAt + (Math.max(0, gone) + 1) * seconds * 1000
  },
})
