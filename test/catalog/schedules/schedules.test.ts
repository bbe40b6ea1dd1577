import { describe, expect, it } from 'vitest'
import {
  checkSchedule,
  type JobSchedule,
  lastRun,
  nextRun,
  nextRuns,
  policiesOf,
  schedules,
} from '../../../src/catalog/schedules/index.ts'
import { DomainError } from '../../../src/kernel/errors.ts'
import { property, type Random } from '../../kit/random.ts'

const NOW = Date.UTC(2026, 0, 15, 10, 30)
const SECOND = 1000
const DAY = 86_400_000
const iso = (time: number) => new Date(time).toISOString()

/** Which fields are wrong with a schedule, and why. */
function faults(given: unknown, was?: JobSchedule): Record<string, string> {
  try {
    checkSchedule(given, 'schedule', NOW, was)
  } catch (error) {
    expect(error).toMatchObject({ code: 'VALIDATION_ERROR' })
    expect(error).toBeInstanceOf(DomainError)
    const { details } = error as DomainError
    expect((error as DomainError).message).toContain(`${details[0]!.field}: ${details[0]!.message}`)
    return Object.fromEntries(details.map(({ field, message }) => [field, message]))
  }
  throw new Error('the schedule was taken')
}

describe('a schedule', () => {
  it.each([
    { type: 'manual' },
    { type: 'once', at: '2026-01-15T12:00:00+01:00' },
    { type: 'once', at: '2026-01-15T10:30:00.001Z', missed: 'skip' },
    { type: 'interval', seconds: 1 },
    { type: 'interval', seconds: 3600, overlap: 'queue', missed: 'run_once' },
    { type: 'cron', expression: '0 */6 * * *' },
    { type: 'cron', expression: '30 2 * * mon-fri', timezone: 'Europe/Berlin', overlap: 'skip' },
  ])('that is right stays as it was given: %o', given => {
    expect(checkSchedule(given, 'schedule', NOW)).toEqual(given)
  })

  it.each<[string, unknown, RegExp]>([
    ['schedule', null, /object/],
    ['schedule', 'daily', /object/],
    ['schedule.type', {}, /string/],
    ['schedule.type', { type: 'hourly' }, /"hourly" is none of manual, once, interval, cron/],
    ['schedule.type', { type: 'toString' }, /none of/],
    ['schedule.seconds', { type: 'manual', seconds: 5 }, /seconds/],
    ['schedule.at', { type: 'once' }, /string/],
    ['schedule.at', { type: 'once', at: '2026-02-30T00:00:00Z' }, /datetime/],
    ['schedule.at', { type: 'once', at: '2027-01-01T00:00:00' }, /datetime/],
    ['schedule.at', { type: 'once', at: iso(NOW) }, /to come.*2026-01-15T10:30:00/],
    ['schedule.seconds', { type: 'interval' }, /number/],
    ['schedule.seconds', { type: 'interval', seconds: 0 }, />=1/],
    ['schedule.seconds', { type: 'interval', seconds: -5 }, />=1/],
    ['schedule.seconds', { type: 'interval', seconds: 1.5 }, /int/],
    ['schedule.seconds', { type: 'interval', seconds: '5' }, /number/],
    ['schedule.seconds', { type: 'interval', seconds: 1e12 }, /<=/],
    ['schedule.overlap', { type: 'manual', overlap: 'both' }, /"skip"\|"queue"/],
    ['schedule.missed', { type: 'manual', missed: true }, /"run_once"\|"skip"/],
    ['schedule.expression', { type: 'cron' }, /string/],
    ['schedule.expression', { type: 'cron', expression: '0 0 * *' }, /five fields/],
    ['schedule.expression', { type: 'cron', expression: '0 0 31 feb,apr,jun,sep,nov *' }, /never comes/],
    ['schedule.expression', { type: 'cron', expression: `0 0 * * 0${',0'.repeat(300)}` }, /<=500/],
    ['schedule.timezone', { type: 'cron', expression: '0 0 * * *', timezone: 'Europe/Atlantis' }, /Europe\/Atlantis/],
    ['schedule.timezone', { type: 'cron', expression: '0 0 * * *', timezone: '' }, /no time zone ""/],
    ['schedule.timezone', { type: 'cron', expression: '0 0 * * *', timezone: 7 }, /string/],
    ['schedule.zone', { type: 'cron', expression: '0 0 * * *', zone: 'UTC' }, /zone/],
  ])('that is wrong at %s is refused: %o', (field, given, message) => {
    expect(faults(given)).toEqual({ [field]: expect.stringMatching(message) })
  })

  it('is told all that is wrong with it', () => {
    const wrong = { type: 'cron', expression: '60 * * * *', timezone: 'Mars' }
    expect(Object.keys(faults(wrong))).toEqual(['schedule.expression', 'schedule.timezone'])
    const more = { type: 'interval', seconds: 0, overlap: 1, missed: 2 }
    expect(Object.keys(faults(more))).toEqual(['schedule.seconds', 'schedule.overlap', 'schedule.missed'])
  })

  it('whose time is over is still right for the job that has it, and for no other', () => {
    const over = { type: 'once', at: '2026-01-01T00:00:00Z', missed: 'skip' } as const
    expect(checkSchedule({ ...over }, 'schedule', NOW, over)).toEqual(over)
    expect(faults({ ...over, at: '2026-01-02T00:00:00Z' }, over)).toHaveProperty(['schedule.at'])
    expect(faults({ ...over, missed: 'run_once' }, over)).toHaveProperty(['schedule.at'])
  })

  it('skips what overlaps and makes up for what was missed, unless it says otherwise', () => {
    expect(policiesOf({ type: 'manual' })).toEqual({ overlap: 'skip', missed: 'run_once' })
    const other = { type: 'interval', seconds: 1, overlap: 'queue', missed: 'skip' } as const
    expect(policiesOf(other)).toEqual({ overlap: 'queue', missed: 'skip' })
  })

  it.each(schedules.map(schedule => [schedule.type, schedule] as const))(
    'of type %s says what it is for',
    (_, each) => {
      expect(each.summary).toMatch(/^[A-Z].*\.$/)
    },
  )
})

describe('the next times', () => {
  it('of a manual one: none', () => {
    expect(nextRuns({ type: 'manual' }, NOW, NOW, 5)).toEqual([])
  })

  it('of one that comes once: that, while it is to come', () => {
    const once = { type: 'once', at: '2026-01-15T12:00:00+01:00', overlap: 'queue' } as const
    const at = Date.UTC(2026, 0, 15, 11)
    expect(nextRuns(once, NOW, NOW, 5)).toEqual([at])
    expect(nextRuns(once, at - 1, NOW, 5)).toEqual([at])
    expect(nextRuns(once, at, NOW, 5)).toEqual([])
  })

  it('of an interval: counted from when the job was made, however long ago', () => {
    const every = { type: 'interval', seconds: 90 } as const
    const times = (after: number) => nextRuns(every, after, NOW, 2).map(time => (time - NOW) / SECOND)
    expect(times(NOW - DAY)).toEqual([90, 180])
    expect(times(NOW)).toEqual([90, 180])
    expect(times(NOW + 90 * SECOND - 1)).toEqual([90, 180])
    expect(times(NOW + 90 * SECOND)).toEqual([180, 270])
    expect(times(NOW + 90_000_000 * SECOND)).toEqual([90_000_090, 90_000_180])
  })

  it('of a cron expression: five, in UTC unless a zone is given', () => {
    const shown = (more: object) => nextRuns({ type: 'cron', expression: '0 */6 * * *', ...more }, NOW, NOW, 5).map(iso)
    const hours = ['15T12', '15T18', '16T00', '16T06', '16T12']
    expect(shown({})).toEqual(hours.map(hour => `2026-01-${hour}:00:00.000Z`))
    const inZone = ['15T12', '15T18', '16T00', '16T06', '16T12'].map(hour => `2026-01-${hour}:15:00.000Z`)
    expect(shown({ timezone: 'Asia/Kathmandu' })).toEqual(inZone)
    expect(shown({ timezone: 'asia/kathmandu', overlap: 'queue' })).toEqual(inZone)
  })
})

it('the last time that has come is the one after which the next is to come', () =>
  property(300, random => {
    const schedule = randomSchedule(random)
    const createdAt = NOW - random.int(1000 * DAY)
    const after = createdAt + random.int(NOW - createdAt)
    const last = lastRun(schedule, after, NOW, createdAt)
    const first = nextRun(schedule, after, createdAt)
    if (last === undefined) expect(first ?? Number.POSITIVE_INFINITY).toBeGreaterThan(NOW)
    else {
      expect(last).toBeGreaterThan(after)
      expect(last).toBeLessThanOrEqual(NOW)
      expect(nextRun(schedule, last - 1, createdAt)).toBe(last)
      expect(nextRun(schedule, last, createdAt) ?? Number.POSITIVE_INFINITY).toBeGreaterThan(NOW)
    }
  }))

function randomSchedule(random: Random): JobSchedule {
  const field = (max: number) => (random.chance(0.4) ? '*' : String(random.int(max)))
  const expression = `${field(60)} ${field(24)} ${random.pick(['*', '1', '29'])} ${random.pick(['*', '2', '7-9'])} *`
  return random.pick<JobSchedule>([
    { type: 'manual' },
    { type: 'once', at: iso(NOW - 500 * DAY + random.int(1000 * DAY)) },
    { type: 'interval', seconds: 1 + random.int(random.pick([10, 100_000, 100_000_000])) },
    { type: 'cron', expression, timezone: random.pick(['UTC', 'Europe/Berlin', 'Australia/Lord_Howe']) },
  ])
}
