import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** A file that a tool which is not ours has written: test/fixtures/files/make.py. */
export interface OutsideFile {
  file: string
  format: string
  options: Record<string, unknown>
  /** The file with the rows that its maker reads back, each as JSON. */
  rows: string
}

export const outsidePath = (name: string) => fileURLToPath(new URL(`../fixtures/files/${name}`, import.meta.url))
export const outsideFiles: OutsideFile[] = JSON.parse(readFileSync(outsidePath('index.json'), 'utf8'))

export function outsideRows(rows: string): string[] {
  return readFileSync(outsidePath(rows), 'utf8').trimEnd().split('\n')
}

/** What makes the JSON of two rows of a format comparable. */
export function sameOf(format: string): (json: string) => unknown {
  return format === 'excel' ? asDouble : exact
}

const TIME = /^(\d{4}-\d\d-\d\dT)?\d\d:\d\d:\d\d(\.\d+)?Z?$/

/** A JSON text as a value in which numbers keep all their digits, and times are without zeros at their end. */
function exact(json: string): unknown {
  return JSON.parse(json, (_key: string, value: unknown, context?: { source: string }) => {
    if (typeof value === 'number') return { number: normal(context!.source) }
    if (typeof value === 'string' && TIME.test(value))
      return value.replace(/(\.\d*?)0+(Z?)$/, '$1$2').replace(/\.(Z?)$/, '$1')
    return value
  })
}

/**
 * The same with fractions as doubles: Excel's are, and its writers put down as many digits as they like, such as 8.800000000000001
 * for what all readers take for 8.8.
 */
function asDouble(json: string): unknown {
  return exact(json.replace(/:(-?\d+\.\d+)(?=[,}])/g, (_, digits) => `:${Number(digits)}`))
}

/** A number's digits in one way, whether it is written 1.50, 15e-1 or 1.5. */
function normal(source: string): string {
  const [, sign, whole, fraction = '', exponent = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(source)!
  const digits = `${whole}${fraction}`.replace(/^0+/, '')
  const kept = digits.replace(/0+$/, '')
  if (kept === '') return '0'
  return `${sign}${kept}e${Number(exponent) - fraction.length + digits.length - kept.length}`
}
