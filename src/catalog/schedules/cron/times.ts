import type { CronExpression } from './expression.ts'
import type { Zone } from './zone.ts'

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
/** Between two 29ths of February there may be eight years. */
const MOST_DAYS = 3000

/**
 * The first time after `after`, milliseconds since 1970. A local time that is skipped when clocks go forward comes once,
 * right after; one that is doubled when they go back comes the first time. An expression for every hour counts the hours
 * that pass instead: it neither makes up for a skipped one, nor leaves out one of a doubled pair.
 */
export function nextTime(expression: CronExpression, zone: Zone, after: number): number | undefined {
  // Local days begin up to 15 hours before or after those of UTC.
  const first = Math.floor(after / DAY_MS) - 1
  let best: number | undefined
  for (let day = first; day < first + MOST_DAYS; day++) {
    const date = new Date(day * DAY_MS)
    if (expression.onDay(date.getUTCMonth() + 1, date.getUTCDate(), date.getUTCDay())) {
      const time = firstOfDay(expression, zone, day, after)
      // When clocks change at midnight, the next day may begin before this one ends.
      if (best !== undefined) return Math.min(best, time ?? best)
      best = time
    } else if (best !== undefined) return best
  }
  return best
}

/** The first time after `after` of a local day, counted from 1970. */
function firstOfDay(expression: CronExpression, zone: Zone, day: number, after: number): number | undefined {
  const { minutes, everyHour } = expression
  const [before, behind] = [zone.offset(day - 1), zone.offset(day + 2)]
  const begin = day * DAY_MS
  // No zone has changed its clocks and back again within three days.
  if (before === behind) {
    const minute = minutes[firstAbove(minutes, (after + before - begin) / MINUTE_MS)]
    return minute === undefined ? undefined : begin + minute * MINUTE_MS - before
  }
  const change = zone.change(day - 1, day + 2)
  let best = Number.POSITIVE_INFINITY
  const take = (time: number) => {
    if (time > after && time < best) best = time
  }
  for (const minute of minutes) {
    const local = begin + minute * MINUTE_MS
    const [early, late] = [local - before < change, local - behind >= change]
    if (early) take(local - before)
    if (late && (everyHour || !early)) take(local - behind)
    if (!early && !late && !everyHour) take(change)
  }
  return best === Number.POSITIVE_INFINITY ? undefined : best
}

/** The index of the first value above `than`, in a list in order. */
function firstAbove(values: readonly number[], than: number): number {
  let [low, high] = [0, values.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (values[middle]! > than) high = middle
    else low = middle + 1
  }
  return low
}
