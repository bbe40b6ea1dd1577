import { z } from 'zod'
import { DomainError, type ErrorDetail } from '../../kernel/errors.ts'
import { type CronExpression, parseExpression } from './cron/expression.ts'
import { nextTime } from './cron/times.ts'
import { openZone, type Zone } from './cron/zone.ts'
import { defineSchedule } from './schedule.ts'

const MAX_LENGTH = 500
const MAX_ZONE_LENGTH = 100

export const cron = defineSchedule({
  type: 'cron',
  summary: 'Runs at the local times of a time zone that a cron expression of five fields names.',
  config: z.strictObject({
    type: z.literal('cron'),
    expression: z.string().max(MAX_LENGTH),
    /** Of the IANA data base; UTC without it. */
    timezone: z.string().max(MAX_ZONE_LENGTH).optional(),
  }),
  check: config => void compiled(config),
  next(config, after) {
    const { expression, zone } = compiled(config)
    return nextTime(expression, zone, after)
  },
})

interface Compiled {
  readonly expression: CronExpression
  readonly zone: Zone
}

const MOST_COMPILED = 1000
const known = new Map<string, Compiled>()

function compiled({ expression, timezone = 'UTC' }: { expression: string; timezone?: string | undefined }): Compiled {
  const key = `${timezone}\n${expression}`
  const found = known.get(key)
  if (found) return found
  const made = compile(expression, timezone)
  if (known.size >= MOST_COMPILED) known.delete(known.keys().next().value!)
  known.set(key, made)
  return made
}

function compile(text: string, timezone: string): Compiled {
  const [expression, zone] = [parseExpression(text), openZone(timezone)]
  const details: ErrorDetail[] = []
  if (typeof expression === 'string') details.push({ field: 'expression', message: expression })
  if (!zone) {
    const message = `there is no time zone ${JSON.stringify(timezone)}; expected one such as Europe/Berlin`
    details.push({ field: 'timezone', message })
  }
  if (zone && typeof expression !== 'string') return { expression, zone }
  throw new DomainError('VALIDATION_ERROR', details.map(({ field, message }) => `${field}: ${message}`).join('; '), {
    details,
  })
}
