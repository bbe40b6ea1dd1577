import { describe, expect, it } from 'vitest'
import { type CronExpression, parseExpression } from '../../../src/catalog/schedules/cron/expression.ts'

function parse(text: string): CronExpression {
  const parsed = parseExpression(text)
  if (typeof parsed === 'string') throw new Error(parsed)
  return parsed
}

const clock = ({ minutes }: CronExpression) =>
  minutes.map(each => `${Math.floor(each / 60)}:${String(each % 60).padStart(2, '0')}`)

/** The days of a leap year that begins on a Saturday, 2000, on which an expression comes, as month-day. */
function daysOf(dates: string): string[] {
  const expression = parse(`0 0 ${dates}`)
  const days: string[] = []
  for (let day = Date.UTC(2000, 0, 1); day < Date.UTC(2001, 0, 1); day += 86_400_000) {
    const date = new Date(day)
    const [month, number] = [date.getUTCMonth() + 1, date.getUTCDate()]
    if (expression.onDay(month, number, date.getUTCDay())) days.push(`${month}-${number}`)
  }
  return days
}

describe('times of day', () => {
  it.each<[string, string[]]>([
    ['0 0', ['0:00']],
    ['59 23', ['23:59']],
    ['05 08', ['8:05']],
    ['0,30,15,30 6', ['6:00', '6:15', '6:30']],
    ['*/20 7-8', ['7:00', '7:20', '7:40', '8:00', '8:20', '8:40']],
    ['10-40/15,50 1', ['1:10', '1:25', '1:40', '1:50']],
    ['0 */6', ['0:00', '6:00', '12:00', '18:00']],
    ['0 9-17/4,22', ['9:00', '13:00', '17:00', '22:00']],
    ['*/60 5', ['5:00']],
  ])('%s', (times, expected) => {
    expect(clock(parse(`${times} * * *`))).toEqual(expected)
  })

  it('are all of a day for stars', () => {
    expect(parse('* * * * *').minutes).toEqual(Array.from({ length: 1440 }, (_, n) => n))
  })

  it('are of every hour or not', () => {
    for (const hours of ['*', '*/1', '0-23', '0-11,12-23']) expect(parse(`0 ${hours} * * *`).everyHour).toBe(true)
    for (const hours of ['*/2', '0-22', '5']) expect(parse(`* ${hours} * * *`).everyHour).toBe(false)
  })
})

describe('days', () => {
  it.each<[string, string[]]>([
    ['29 2 *', ['2-29']],
    ['31 1-4 *', ['1-31', '3-31']],
    ['1 JAN,Jul,dec *', ['1-1', '7-1', '12-1']],
    ['30,31 apr-jun *', ['4-30', '5-30', '5-31', '6-30']],
    ['* feb 1', ['2-7', '2-14', '2-21', '2-28']],
    ['* 2 mon', ['2-7', '2-14', '2-21', '2-28']],
    ['1-20/10 */6 *', ['1-1', '1-11', '7-1', '7-11']],
    // Both are restricted: either will do, also on dates that no month has.
    ['13 10 5', ['10-6', '10-13', '10-20', '10-27']],
    ['14 10 fri', ['10-6', '10-13', '10-14', '10-20', '10-27']],
    ['30 2 tue', ['2-1', '2-8', '2-15', '2-22', '2-29']],
    ['*/15 2 tue', ['2-1', '2-8', '2-15', '2-16', '2-22', '2-29']],
    ['*/1 2 tue', ['2-1', '2-8', '2-15', '2-22', '2-29']],
  ])('%s', (dates, expected) => {
    expect(daysOf(dates)).toEqual(expected)
  })

  it('know Sunday by 0, by 7 and by its name, at both ends of a week', () => {
    const sundays = daysOf('* 1 0')
    expect(sundays).toEqual(['1-2', '1-9', '1-16', '1-23', '1-30'])
    for (const same of ['7', 'sun', 'SUN', '0,7', '7-7', 'sun-sun', '*/7'])
      expect(daysOf(`* 1 ${same}`)).toEqual(sundays)
    const weekend = daysOf('* 1 0,6')
    for (const same of ['6-7', 'sat-sun', '6,sun', 'sat,0']) expect(daysOf(`* 1 ${same}`)).toEqual(weekend)
    const all = daysOf('* 1 *')
    for (const same of ['0-6', '1-7', '0-7', 'mon-sun', 'sun-sat']) expect(daysOf(`* 1 ${same}`)).toEqual(all)
  })
})

describe('an expression that is wrong', () => {
  it.each<[string, RegExp]>([
    ['', /five fields.*got 0/],
    ['   ', /five fields.*got 0/],
    ['* * * *', /five fields.*got 4/],
    ['0 * * * * *', /five fields.*got 6/],
    ['@daily', /five fields.*got 1/],
    ['60 * * * *', /^minute: expected 0 to 59, got "60"/],
    ['-1 * * * *', /^minute: .*"-1"/],
    ['1.5 * * * *', /^minute: .*"1.5"/],
    ['99999999999999999999 * * * *', /^minute: expected 0 to 59/],
    ['* 24 * * *', /^hour: expected 0 to 23, got "24"/],
    ['* * 0 * *', /^day of month: expected 1 to 31, got "0"/],
    ['* * 32 * *', /^day of month: .*"32"/],
    ['* * * 0 *', /^month: expected 1 to 12, or jan to dec, got "0"/],
    ['* * * 13 *', /^month: .*"13"/],
    ['* * * mon *', /^month: .*"mon"/],
    ['* * * jan-sun *', /^month: .*"jan-sun"/],
    ['* * * january *', /^month: .*"january"/],
    ['* * * * 8', /^day of week: expected 0 to 7, or sun to sat, got "8"/],
    ['* * jan * *', /^day of month: .*"jan"/],
    ['*/0 * * * *', /^minute: expected a step from 1 to 60, got "\*\/0"/],
    ['*/90 * * * *', /^minute: expected a step from 1 to 60/],
    ['* */25 * * *', /^hour: expected a step from 1 to 24/],
    ['* * * * */8', /^day of week: expected a step from 1 to 7/],
    ['5/15 * * * *', /^minute: a step comes after \* or a range, such as 5-59\/15/],
    ['30-10 * * * *', /^minute: the range "30-10" ends before it begins/],
    ['* * * * fri-mon', /^day of week: the range "fri-mon" ends/],
    ['1,,2 * * * *', /^minute: .*""/],
    [',1 * * * *', /^minute: .*""/],
    ['1- * * * *', /^minute: .*"1-"/],
    ['*/ * * * *', /^minute: .*"\*\/"/],
    ['1-2-3 * * * *', /^minute: .*"1-2-3"/],
    ['? * * * *', /^minute: .*"\?"/],
    ['* * L * *', /^day of month: .*"L"/],
    ['* * 15W * *', /^day of month: .*"15W"/],
    ['* * * * 5#2', /^day of week: .*"5#2"/],
    ['0 0 30 2 *', /never comes: no month of 2 has a day 30/],
    ['0 0 31 4,6,9,11 *', /never comes/],
    ['0 0 30-31 feb */1', /never comes/],
    [`0 0 * * ${'x'.repeat(400)}`, /^day of week: .{0,120}$/],
  ])('"%s"', (text, message) => {
    expect(parseExpression(text)).toMatch(message)
  })

  it('is not one with tabs, spaces around it, or a day that only some months have', () => {
    expect(clock(parse(' 5\t4  * * * '))).toEqual(['4:05'])
    expect(daysOf('31 2-3 *')).toEqual(['3-31'])
  })
})
