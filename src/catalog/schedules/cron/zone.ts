const DAY_MS = 86_400_000

/** A time zone. Days are those of UTC, counted from 1970; what is asked of them is remembered. */
export interface Zone {
  /** Milliseconds that local time is ahead of UTC when a day begins. */
  offset(day: number): number
  /** When the clocks change, after one day has begun and when another begins at the latest. */
  change(from: number, to: number): number
}

const MOST_ZONES = 200
const MOST_REMEMBERED = 500
const known = new Map<string, Zone>()

/** The zone of that name, undefined when there is none. */
export function openZone(name: string): Zone | undefined {
  const found = known.get(name)
  if (found) return found
  const format = formatOf(name)
  if (!format) return undefined
  const zone = zoneOf(format)
  if (known.size >= MOST_ZONES) known.delete(known.keys().next().value!)
  known.set(name, zone)
  return zone
}

function formatOf(timeZone: string): Intl.DateTimeFormat | undefined {
  const numeric = 'numeric'
  const parts = {
    year: numeric,
    month: numeric,
    day: numeric,
    hour: numeric,
    minute: numeric,
    second: numeric,
  } as const
  try {
    return new Intl.DateTimeFormat('en-US', { ...parts, timeZone, hourCycle: 'h23' })
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

function zoneOf(format: Intl.DateTimeFormat): Zone {
  function offsetAt(time: number): number {
    const now: Record<string, number> = {}
    for (const { type, value } of format.formatToParts(time)) now[type] = Number(value)
    const local = Date.UTC(now.year!, now.month! - 1, now.day, now.hour, now.minute, now.second)
    return local - Math.floor(time / 1000) * 1000
  }
  const offset = remembered((day: number) => offsetAt(day * DAY_MS))
  const changes = remembered((span: string) => {
    const [from, to] = span.split(' ').map(Number) as [number, number]
    const after = offset(to)
    let [low, high] = [from * DAY_MS, to * DAY_MS]
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2)
      if (offsetAt(middle) === after) high = middle
      else low = middle
    }
    return high
  })
  return { offset, change: (from, to) => changes(`${from} ${to}`) }
}

function remembered<Key>(work: (key: Key) => number): (key: Key) => number {
  const done = new Map<Key, number>()
  return key => {
    const found = done.get(key)
    if (found !== undefined) return found
    if (done.size >= MOST_REMEMBERED) done.clear()
    const made = work(key)
    done.set(key, made)
    return made
  }
}
