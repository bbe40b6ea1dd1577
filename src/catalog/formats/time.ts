/** Dates and times as text: RFC 3339, exact to the digit. Years past 9999 and before 0 are written as ISO 8601 has them. */

const DAY_SECONDS = 86_400

let lastDay = Number.NaN
let lastDate = ''

/** `2024-02-29` for the days since 1970-01-01. */
export function dateText(days: number): string {
  if (days === lastDay) return lastDate
  // The civil calendar by eras of 400 years, which begin on the first of March.
  const z = days + 719_468
  const era = Math.floor(z / 146_097)
  const dayOfEra = z - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const fromMarch = Math.floor((5 * dayOfYear + 2) / 153)
  const day = dayOfYear - Math.floor((153 * fromMarch + 2) / 5) + 1
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9
  lastDate = `${yearText(yearOfEra + era * 400 + (month <= 2 ? 1 : 0))}-${two(month)}-${two(day)}`
  lastDay = days
  return lastDate
}

/**
 * `2024-02-29T23:59:59.250Z` for seconds since 1970 and a fraction of `digits` digits, which is left out when it is zero.
 */
export function instantText(seconds: number, fraction: number, digits: number): string {
  const days = Math.floor(seconds / DAY_SECONDS)
  return `${dateText(days)}T${clockText(seconds - days * DAY_SECONDS, fraction, digits)}Z`
}

/** `23:59:59.250`; hours go on past 24. */
export function clockText(seconds: number, fraction: number, digits: number): string {
  const minutes = Math.floor(seconds / 60)
  const clock = `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}:${two(seconds % 60)}`
  return fraction === 0 ? clock : `${clock}.${String(fraction).padStart(digits, '0')}`
}

function two(n: number): string {
  return n < 10 ? `0${n}` : String(n)
}

function yearText(year: number): string {
  if (year >= 0 && year <= 9999) return String(year).padStart(4, '0')
  return `${year < 0 ? '-' : '+'}${String(Math.abs(year)).padStart(6, '0')}`
}
