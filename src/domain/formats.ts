/** Formats that are recognised in data, by the names JSON Schema has for them. */
export const FORMATS = ['date', 'date-time', 'uuid', 'email'] as const
export type Format = (typeof FORMATS)[number]

const DATE = /^(\d{4})-(\d{2})-(\d{2})$/
const DATE_TIME =
  /^(\d{4}-\d{2}-\d{2})[Tt]([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d{1,20})?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$/
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const EMAIL =
  /^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*@([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,63}$/i
const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
/** No text of these formats is longer, and no pattern is held against one that is. */
const LONGEST = 254

/** Whether a text has a format. What has it here has it for whoever validates, too. */
export function hasFormat(text: string, format: Format): boolean {
  if (text.length > LONGEST) return false
  switch (format) {
    case 'date':
      return isDate(text)
    case 'date-time': {
      const parts = DATE_TIME.exec(text)
      // Validators take a leap second at the end of a UTC day only; none is claimed here.
      return parts !== null && parts[3] !== '60' && isDate(parts[1]!)
    }
    case 'uuid':
      return UUID.test(text)
    case 'email':
      return EMAIL.test(text)
  }
}

function isDate(text: string): boolean {
  const parts = DATE.exec(text)
  if (!parts) return false
  const [year, month, day] = parts.slice(1).map(Number) as [number, number, number]
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  return month >= 1 && month <= 12 && day >= 1 && day <= DAYS[month - 1]! + (month === 2 && leap ? 1 : 0)
}
