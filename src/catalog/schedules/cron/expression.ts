/** What a cron expression of five fields says. */
export interface CronExpression {
  /** The minutes of a day, from 0, at which it comes, in order. */
  readonly minutes: readonly number[]
  /** Whether it comes in every hour: then it counts the hours that pass, whatever the clock calls them. */
  readonly everyHour: boolean
  /** Whether it comes on a day: its month and day from 1, and its day of the week from 0 for Sunday. */
  onDay(month: number, day: number, weekday: number): boolean
}

interface Field {
  readonly name: string
  readonly min: number
  readonly max: number
  /** Names of values, the first one of `min`. */
  readonly names?: readonly string[]
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
const SUNDAY = 7
const FIELDS: readonly Field[] = [
  { name: 'minute', min: 0, max: 59 },
  { name: 'hour', min: 0, max: 23 },
  { name: 'day of month', min: 1, max: 31 },
  { name: 'month', min: 1, max: 12, names: MONTHS },
  { name: 'day of week', min: 0, max: SUNDAY, names: WEEKDAYS },
]
const LONGEST_MONTHS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/** Reads an expression; a text says what is wrong with it. */
export function parseExpression(text: string): CronExpression | string {
  const parts = text.trim().split(/[ \t]+/)
  if (text.trim() === '' || parts.length !== FIELDS.length) {
    const got = text.trim() === '' ? 0 : parts.length
    return `expected five fields (minute, hour, day of month, month, day of week), got ${got}`
  }
  const fields: ReadonlySet<number>[] = []
  for (const [n, field] of FIELDS.entries()) {
    const values = valuesOf(parts[n]!, field)
    if (typeof values === 'string') return `${field.name}: ${values}`
    fields.push(values)
  }
  const [minutes, hours, days, months, weekdays] = fields as [Values, Values, Values, Values, Values]
  if (weekdays.has(SUNDAY)) weekdays.add(0)
  const [anyDay, anyWeekday] = [isAny(parts[2]!), isAny(parts[4]!)]
  if (anyWeekday && ![...months].some(month => [...days].some(day => day <= LONGEST_MONTHS[month - 1]!))) {
    return `it never comes: no month of ${parts[3]} has a day ${parts[2]}`
  }
  return {
    minutes: [...hours].flatMap(hour => [...minutes].map(minute => hour * 60 + minute)).sort((a, b) => a - b),
    everyHour: hours.size === 24,
    onDay(month, day, weekday) {
      if (!months.has(month)) return false
      // Of two that are said, either will do.
      if (!anyDay && !anyWeekday) return days.has(day) || weekdays.has(weekday)
      return days.has(day) && weekdays.has(weekday)
    },
  }
}

type Values = Set<number>

const isAny = (part: string) => part === '*' || part === '*/1'

function valuesOf(part: string, field: Field): Values | string {
  const values: Values = new Set()
  for (const item of part.split(',')) {
    const fault = addItem(item, field, values)
    if (fault !== undefined) return fault
  }
  return values
}

/** Adds what one item of a list names; answers what is wrong with it. */
function addItem(item: string, field: Field, values: Values): string | undefined {
  const { min, max } = field
  const found = /^(?:(\*)|(\w+)(?:-(\w+))?)(?:\/(\d+))?$/.exec(item)
  if (!found) return `expected *, a value, a range or a list of them, and /step after * or a range, got ${shown(item)}`
  const [, any, first, last, stepText] = found
  const step = stepText === undefined ? 1 : Number(stepText)
  const count = field.names === WEEKDAYS ? SUNDAY : max - min + 1
  if (step < 1 || step > count) return `expected a step from 1 to ${count}, got ${shown(item)}`
  if (any === undefined && last === undefined && stepText !== undefined) {
    return `a step comes after * or a range, such as ${first}-${max}/${step}, got ${shown(item)}`
  }
  const from = any ? min : valueIn(first!, field)
  const to = any ? max : last === undefined ? from : endIn(last, field, from)
  if (from === undefined || to === undefined) return `expected ${allowed(field)}, got ${shown(item)}`
  if (from > to) return `the range ${shown(item)} ends before it begins`
  for (let value = from; value <= to; value += step) values.add(value)
  return undefined
}

function valueIn(text: string, { min, max, names }: Field): number | undefined {
  const named = names?.indexOf(text.toLowerCase()) ?? -1
  if (named >= 0) return min + named
  const value = /^\d{1,4}$/.test(text) ? Number(text) : Number.NaN
  return value >= min && value <= max ? value : undefined
}

/** The end of a range: a week that is named by its days ends on Sunday as well as it begins there. */
function endIn(text: string, field: Field, from: number | undefined): number | undefined {
  const end = valueIn(text, field)
  return field.names === WEEKDAYS && text.toLowerCase() === 'sun' && from !== 0 ? SUNDAY : end
}

function allowed({ min, max, names }: Field): string {
  const named = names ? `, or ${names[0]} to ${names.at(-1)}` : ''
  return `${min} to ${max}${named}`
}

function shown(item: string): string {
  return JSON.stringify(item.slice(0, 60))
}
