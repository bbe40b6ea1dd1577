import { describe, expect, it } from 'vitest'
import { parseExpression } from '../../../src/catalog/schedules/cron/expression.ts'
import { openZone } from '../../../src/catalog/schedules/cron/zone.ts'
import { nextRuns } from '../../../src/catalog/schedules/index.ts'
import { property, type Random } from '../../kit/random.ts'

const MINUTE = 60_000
const DAY = 86_400_000

/** The times of an expression after a moment and before another, in UTC to the minute. */
function times(expression: string, timezone: string, from: string, to: string): string[] {
  const [after, before] = [Date.parse(`${from}Z`), Date.parse(`${to}Z`)]
  const next = nextRuns({ type: 'cron', expression, timezone }, after, 0, 200)
  return next.filter(time => time < before).map(time => new Date(time).toISOString().slice(0, 16))
}

/** Days around which clocks change: by an hour and by half of one, at night, at midnight, and a whole day. */
const FORWARD: [zone: string, expression: string, from: string, to: string, expected: string[]][] = [
  ['Europe/Berlin', '30 2 * * *', '2025-03-29T00:00', '2025-04-01T00:00', ['29T01:30', '30T01:00', '31T00:30']],
  ['Europe/Berlin', '0,30 2,3 * * *', '2025-03-30T00:00', '2025-03-30T12:00', ['30T01:00', '30T01:30']],
  ['Europe/Berlin', '*/15 2 * * *', '2025-03-30T00:00', '2025-03-30T12:00', ['30T01:00']],
  ['Europe/Berlin', '59 1 * * *', '2025-03-30T00:00', '2025-03-30T12:00', ['30T00:59']],
  ['Europe/Berlin', '0 */2 * * *', '2025-03-29T23:30', '2025-03-30T05:00', ['30T01:00', '30T02:00', '30T04:00']],
  ['America/New_York', '30 2 * * *', '2025-03-08T12:00', '2025-03-10T12:00', ['09T07:00', '10T06:30']],
  ['Australia/Lord_Howe', '15 2 * * *', '2025-10-03T12:00', '2025-10-06T00:00', ['03T15:45', '04T15:30', '05T15:15']],
  ['Australia/Lord_Howe', '45 2 * * *', '2025-10-04T12:00', '2025-10-05T12:00', ['04T15:45']],
  ['America/Sao_Paulo', '0 0 * * *', '2018-11-03T00:00', '2018-11-06T00:00', ['03T03:00', '04T03:00', '05T02:00']],
  ['America/Sao_Paulo', '59 23 * * *', '2018-11-03T12:00', '2018-11-05T00:00', ['04T02:59']],
  ['Africa/Cairo', '30 0 * * *', '2025-04-24T00:00', '2025-04-26T00:00', ['24T22:00', '25T21:30']],
  [
    'Pacific/Apia',
    '0 9 * * *',
    '2011-12-29T00:00',
    '2012-01-01T00:00',
    ['29T19:00', '30T10:00', '30T19:00', '31T19:00'],
  ],
]
const BACK: typeof FORWARD = [
  ['Europe/Berlin', '30 2 * * *', '2025-10-25T12:00', '2025-10-28T00:00', ['26T00:30', '27T01:30']],
  ['Europe/Berlin', '0,30 2 * * *', '2025-10-26T00:00', '2025-10-27T00:00', ['26T00:30']],
  [
    'Europe/Berlin',
    '*/30 2-3 * * *',
    '2025-10-25T23:00',
    '2025-10-26T12:00',
    ['26T00:00', '26T00:30', '26T02:00', '26T02:30'],
  ],
  ['America/New_York', '30 1 * * *', '2025-11-02T00:00', '2025-11-04T00:00', ['02T05:30', '03T06:30']],
  ['Australia/Lord_Howe', '45 1 * * *', '2025-04-05T00:00', '2025-04-07T00:00', ['05T14:45', '06T15:15']],
  ['Africa/Cairo', '30 23 * * *', '2025-10-30T00:00', '2025-11-01T00:00', ['30T20:30', '31T21:30']],
  ['America/Sao_Paulo', '30 23 * * *', '2019-02-16T12:00', '2019-02-18T12:00', ['17T01:30', '18T02:30']],
]

describe('a local time', () => {
  it.each(FORWARD)('that is skipped comes once, right after: %s, %s', (zone, expression, from, to, expected) => {
    expect(times(expression, zone, from, to).map(time => time.slice(8))).toEqual(expected)
  })

  it.each(BACK)('that is doubled comes the first time: %s, %s', (zone, expression, from, to, expected) => {
    expect(times(expression, zone, from, to).map(time => time.slice(8))).toEqual(expected)
  })

  it('is not between hours where a zone is a quarter off', () => {
    expect(times('0 0 * * *', 'Asia/Kathmandu', '2026-05-01T00:00', '2026-05-02T00:00')).toEqual(['2026-05-01T18:15'])
  })
})

describe('an expression for every hour', () => {
  it('comes in every hour that passes, whatever the clock calls it', () => {
    const spring = times('*/15 * * * *', 'Europe/Berlin', '2025-03-29T23:59', '2025-03-30T04:00')
    const autumn = times('*/15 * * * *', 'Europe/Berlin', '2025-10-25T23:59', '2025-10-26T04:00')
    for (const all of [spring, autumn]) {
      expect(all).toHaveLength(16)
      for (const [n, time] of all.entries())
        if (n > 0) expect(Date.parse(`${time}Z`) - Date.parse(`${all[n - 1]}Z`)).toBe(15 * MINUTE)
    }
    expect(
      times('5 * * * *', 'Europe/Berlin', '2025-03-30T00:00', '2025-03-30T03:00').map(each => each.slice(11)),
    ).toEqual(['00:05', '01:05', '02:05'])
  })

  it('comes in order where a minute of the next day passes before the clocks go back to this one', () => {
    const all = times('*/15 * * * *', 'America/St_Johns', '2006-10-29T02:00', '2006-10-29T04:00')
    expect(all.map(time => time.slice(11))).toEqual(['02:15', '02:30', '02:45', '03:00', '03:15', '03:30', '03:45'])
    const midnight = times('0,30 0,23 * * *', 'America/St_Johns', '2006-10-29T00:00', '2006-10-29T12:00')
    expect(midnight.map(time => time.slice(11))).toEqual(['01:30', '02:00', '02:30', '04:00'])
  })
})

it('a 29th of February comes every four years, and every eight around 2100', () => {
  const all = times('0 12 29 2 *', 'UTC', '2091-01-01T00:00', '2110-01-01T00:00')
  expect(all).toEqual(['2092-02-29T12:00', '2096-02-29T12:00', '2104-02-29T12:00', '2108-02-29T12:00'])
})

/** What the clocks of a zone show at a time, as if it were UTC; asks Intl in another way than the code does. */
function wallOf(timeZone: string): (time: number) => number {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' })
  return time => Date.parse(`${format.format(time).replace(' ', 'T')}Z`)
}

interface Minute {
  readonly time: number
  /** What the clocks show. */
  readonly at: number
}

/** Every minute of some time, asked for one by one where clocks may change. */
function minutesOf(timeZone: string, from: number, to: number): Minute[] {
  const wall = wallOf(timeZone)
  const piece = 30 * MINUTE
  const all: Minute[] = []
  for (let start = from; start < to; start += piece) {
    const at = wall(start)
    const even = wall(start + piece) - at === piece
    for (let time = start; time < start + piece; time += MINUTE) {
      all.push({ time, at: even ? at + time - start : wall(time) })
    }
  }
  return all
}

interface Sets {
  readonly minutes: ReadonlySet<number>
  readonly hours: ReadonlySet<number>
  readonly days: ReadonlySet<number> | undefined
  readonly weekdays: ReadonlySet<number> | undefined
}

/** Walks the minutes: the local times that pass, those that do not, and those that pass again. */
function walked(walls: readonly Minute[], { minutes, hours, days, weekdays }: Sets): number[] {
  const found: number[] = []
  const seen = new Set<number>()
  const hit = (at: number) => {
    const date = new Date(at)
    if (!minutes.has(date.getUTCMinutes()) || !hours.has(date.getUTCHours())) return false
    const [onDay, onWeekday] = [days?.has(date.getUTCDate()), weekdays?.has(date.getUTCDay())]
    return onDay === undefined ? (onWeekday ?? true) : onWeekday === undefined ? onDay : onDay || onWeekday
  }
  const hourly = hours.size === 24
  for (const [n, { time, at }] of walls.entries()) {
    let wanted = hit(at) && (hourly || !seen.has(at))
    seen.add(at)
    const before = walls[n - 1]?.at ?? at - MINUTE
    for (let skipped = before + MINUTE; !hourly && skipped < at; skipped += MINUTE) wanted ||= hit(skipped)
    if (wanted) found.push(time)
  }
  return found
}

const NAMED = ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'America/Sao_Paulo', 'Africa/Cairo']
const ALL = [...NAMED, ...Intl.supportedValuesOf('timeZone')]

/** A day within which a zone changes its clocks, if it does in that year. */
function dayOfChange(timezone: string, year: number, random: Random): number | undefined {
  const zone = openZone(timezone)!
  const changes: number[] = []
  for (let day = Date.UTC(year, 0, 1) / DAY; day < Date.UTC(year + 1, 0, 1) / DAY; day++)
    if (zone.offset(day) !== zone.offset(day + 1)) changes.push(day)
  return changes.length > 0 ? random.pick(changes) : undefined
}

function someOf(random: Random, from: number, to: number): number[] {
  const all = Array.from({ length: to - from + 1 }, (_, n) => from + n)
  const some = all.filter(() => random.chance(0.2))
  return random.chance(0.3) ? all : some.length > 0 ? some : [random.pick(all)]
}

it('around a change of clocks, all times are those that a walk over the minutes finds', () =>
  property(60, random => {
    const timezone = random.chance(0.4) ? random.pick(NAMED) : random.pick(ALL)
    const year = 1973 + random.int(65)
    const day = dayOfChange(timezone, year, random) ?? Date.UTC(year, 0, 1) / DAY + random.int(360)
    const [from, to] = [(day - 1) * DAY, (day + 3) * DAY]
    const walls = minutesOf(timezone, from - DAY, to)
    for (let n = 0; n < 5; n++) {
      const [minutes, hours] = [someOf(random, 0, 59), someOf(random, 0, 23)]
      const days = random.chance(0.5) ? someOf(random, 1, 31) : undefined
      const weekdays = random.chance(0.5) ? someOf(random, 0, 6) : undefined
      const expression = `${minutes} ${hours} ${days ?? '*'} * ${weekdays ?? '*'}`
      expect(typeof parseExpression(expression), expression).toBe('object')
      const sets = { minutes: new Set(minutes), hours: new Set(hours) }
      const dates = { days: days && new Set(days), weekdays: weekdays && new Set(weekdays) }
      const expected = walked(walls, { ...sets, ...dates }).filter(time => time >= from)
      const told = `${expression} in ${timezone} from ${new Date(from).toISOString()}`
      const found = nextRuns({ type: 'cron', expression, timezone }, from - 1, 0, expected.length + 1)
      expect([told, found.filter(time => time < to)]).toEqual([told, expected])
      // From anywhere between, the next is the same.
      const after = from + random.int(to - from)
      const next = expected.find(time => time > after)
      if (next !== undefined)
        expect([told, nextRuns({ type: 'cron', expression, timezone }, after, 0, 1)]).toEqual([told, [next]])
    }
  }))
