/** Files written by tools that are not ours, against the rows that those tools read back: test/fixtures/files/make.py. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { checkOptions } from '../../../src/catalog/formats/format.ts'
import { formatOf, recognise } from '../../../src/catalog/formats/index.ts'
import { readAll } from '../../kit/files.ts'
import { DEFAULT_LIMITS } from '../../kit/limits.ts'
import { wellFormed } from './contract.ts'

interface Outside {
  file: string
  format: string
  options: Record<string, unknown>
  /** The file with the rows. */
  rows: string
}

const place = (name: string) => fileURLToPath(new URL(`../../fixtures/files/${name}`, import.meta.url))
const files: Outside[] = JSON.parse(readFileSync(place('index.json'), 'utf8'))

it.each(files)('$file has the rows that its maker reads', async ({ file, format: name, options, rows }) => {
  const format = formatOf(name)!
  const head = readFileSync(place(file)).subarray(0, 65_536)
  expect(recognise(file, head)).toBe(format)
  const reading = await readAll(format, { path: place(file) }, { options })
  wellFormed(reading)
  expect(reading.damage).toBeUndefined()
  expect(reading.refused).toEqual([])
  const expected = readFileSync(place(rows), 'utf8').trimEnd().split('\n')
  const same = name === 'excel' ? asDouble : exact
  expect([...reading.rows.values()].map(same)).toEqual(expected.map(same))
  const control = { limits: DEFAULT_LIMITS }
  expect(await format.count(place(file), checkOptions(format, options), control)).toBe(expected.length)
})

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
