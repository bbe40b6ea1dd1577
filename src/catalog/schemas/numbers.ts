import { changingNumbers, compareNumbers, isIntegral, isMultiple, survivesParsing } from '../../kernel/decimal.ts'

/** A row as JavaScript has it, and the texts of its numbers that are no JavaScript numbers, by where they are. */
export interface ParsedRow {
  readonly value: unknown
  readonly texts: ReadonlyMap<object, ReadonlyMap<string, string>> | undefined
}

/** Where every JavaScript number is a whole one. */
const WHOLE_FROM = 2 ** 52

/**
 * Parses a row so that a validator's comparisons come out as for the numbers that are written in it. A number that
 * JavaScript does not have becomes one beside it that stands on the same side of every number of the schema, and is
 * whole if and only if it is. (One with a fraction and sixteen digits before the point has no such neighbour: it counts as
 * whole.)
 */
export function parseRow(json: string, bounds: ReadonlySet<number>): ParsedRow {
  let changes = false
  changingNumbers(json, () => {
    changes = true
    return false
  })
  if (!changes) return { value: JSON.parse(json), texts: undefined }
  const texts = new Map<object, Map<string, string>>()
  const value = JSON.parse(json, function (this: object, name: string, parsed: unknown, context?: { source: string }) {
    const text = context?.source
    if (typeof parsed !== 'number' || text === undefined || survivesParsing(text)) return parsed
    const known = texts.get(this) ?? new Map<string, string>()
    texts.set(this, known.set(name, text))
    return beside(text, parsed, bounds)
  })
  return { value, texts }
}

function beside(text: string, parsed: number, bounds: ReadonlySet<number>): number {
  if (!Number.isFinite(parsed)) return parsed > 0 ? Number.MAX_VALUE : -Number.MAX_VALUE
  const wrongSide = bounds.has(parsed)
  const wronglyWhole = Number.isInteger(parsed) && Math.abs(parsed) < WHOLE_FROM && !isIntegral(text)
  if (!wrongSide && !wronglyWhole) return parsed
  return next(parsed, compareNumbers(text, String(parsed)) > 0)
}

const double = new DataView(new ArrayBuffer(8))

/** The next JavaScript number, upwards or downwards. */
function next(value: number, up: boolean): number {
  if (value === 0) return up ? Number.MIN_VALUE : -Number.MIN_VALUE
  double.setFloat64(0, value)
  const away = value > 0 === up
  double.setBigInt64(0, double.getBigInt64(0) + (away ? 1n : -1n))
  return double.getFloat64(0)
}

/** Whether a value of the row, found in `parent` under `name`, is a multiple of `of`, as the decimals they are written as. */
export function isMultipleOf(
  value: number,
  of: number,
  parent: object | undefined,
  name: string | number | undefined,
  texts: ParsedRow['texts'],
): boolean {
  const text = texts && parent && texts.get(parent)?.get(String(name))
  if (text === undefined && Number.isSafeInteger(value) && Number.isSafeInteger(of)) return value % of === 0
  return isMultiple(text ?? String(value), String(of))
}
