import { z } from 'zod'
import { invalid } from '../../kernel/errors.ts'
import { defineSchedule } from './schedule.ts'

export const once = defineSchedule({
  type: 'once',
  summary: 'Runs once, at a time.',
  config: z.strictObject({ type: z.literal('once'), at: z.iso.datetime({ offset: true }) }),
  check({ at }, now) {
    if (Date.parse(at) <= now) throw invalid('at', `expected a time to come, got ${at}: it is ${timeText(now)}`)
  },
  next({ at }, after) {
    const time = Date.parse(at)
    return time > after ? time : undefined
  },
})

const timeText = (time: number) => new Date(time).toISOString()
