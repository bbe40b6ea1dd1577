import { z } from 'zod'
import { defineSchedule } from './schedule.ts'

export const manual = defineSchedule({
  type: 'manual',
  summary: 'Runs when it is asked to, and never by itself.',
  config: z.strictObject({ type: z.literal('manual') }),
  next: () => undefined,
})
