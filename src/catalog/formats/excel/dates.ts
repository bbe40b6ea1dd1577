import { clockText, dateText, instantText } from '../time.ts'

/** What a number format makes of a number. */
export type Style = 'number' | 'date' | 'datetime' | 'time' | 'elapsed'

const DAY_MS = 86_400_000
/** The 1st of January 1900 is day 1, and there is a 29th of February 1900; in the other system 1904 begins with day 0. */
const EPOCH_1900 = -25_569
const EPOCH_1904 = -24_107
/** The 31st of December 9999. */
const LAST_DAY = 2_958_466

/** The style of a number format that the specification has by number; those with words for dates are of East Asia. */
export function builtInStyle(id: number): Style {
  if (id === 22) return 'datetime'
  if (id >= 14 && id <= 17) return 'date'
  if ((id >= 27 && id <= 31) || (id >= 34 && id <= 36) || (id >= 50 && id <= 58)) return 'date'
  if ((id >= 18 && id <= 21) || id === 32 || id === 33 || id === 45 || id === 47) return 'time'
  return id === 46 ? 'elapsed' : 'number'
}

/** The style of a format code such as `yyyy-mm-dd hh:mm` or `[h]:mm`. */
export function styleOf(code: string): Style {
  const bare = code
    .replace(/"[^"]*"?|\\.|_.|\*./g, '')
    .replace(/\[(?!h+\]|m+\]|s+\])[^\]]*\]/gi, '')
    .split(';')[0]!
    .toLowerCase()
  if (bare.includes('general')) return 'number'
  if (/\[(h+|m+|s+)\]/.test(bare)) return 'elapsed'
  const time = /[hs]/.test(bare)
  if (/[yd]/.test(bare)) return time ? 'datetime' : 'date'
  if (bare.includes('m') && !time) return 'date'
  return time ? 'time' : 'number'
}

/**
 * The JSON text of a date or time for a serial number: `"2024-02-29"` for a whole day that is shown as a date,
 * `"2024-02-29T12:00:00Z"` for a moment (to the millisecond, which is what Excel knows), `"12:00:00"` for less than a day and
 * for what is elapsed, which may be less than nothing (`"-41:42:27"`). Undefined when the number is no date.
 */
export function serialText(serial: number, style: Style, from1904: boolean): string | undefined {
  if (style === 'elapsed' && serial < 0 && serial > -LAST_DAY)
    return `"-${serialText(-serial, style, from1904)!.slice(1)}`
  if (!(serial >= 0 && serial < LAST_DAY)) return undefined
  const ms = Math.round(serial * DAY_MS)
  const fraction = ms % 1000
  if (style === 'elapsed' || ms < DAY_MS) return `"${clockText((ms - fraction) / 1000, fraction, 3)}"`
  const day = Math.floor(ms / DAY_MS)
  const days = day + (from1904 ? EPOCH_1904 : EPOCH_1900 + (day < 60 ? 1 : 0))
  if (style === 'date' && ms % DAY_MS === 0) return `"${dateText(days)}"`
  return `"${instantText(days * 86_400 + ((ms % DAY_MS) - fraction) / 1000, fraction, 3)}"`
}
