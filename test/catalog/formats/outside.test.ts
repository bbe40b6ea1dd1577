/** Files written by tools that are not ours, against the rows that those tools read back: test/fixtures/files/make.py. */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { checkOptions } from '../../../src/catalog/formats/format.ts'
import { formatOf, recognise } from '../../../src/catalog/formats/index.ts'
import { readAll } from '../../kit/files.ts'
import { DEFAULT_LIMITS } from '../../kit/limits.ts'
import { outsideFiles, outsidePath, outsideRows, sameOf } from '../../kit/outside-files.ts'
import { wellFormed } from './contract.ts'

it.each(outsideFiles)('$file has the rows that its maker reads', async ({ file, format: name, options, rows }) => {
  const format = formatOf(name)!
  const head = readFileSync(outsidePath(file)).subarray(0, 65_536)
  expect(recognise(file, head)).toBe(format)
  const reading = await readAll(format, { path: outsidePath(file) }, { options })
  wellFormed(reading)
  expect(reading.damage).toBeUndefined()
  expect(reading.refused).toEqual([])
  const expected = outsideRows(rows)
  const same = sameOf(name)
  expect([...reading.rows.values()].map(same)).toEqual(expected.map(same))
  const control = { limits: DEFAULT_LIMITS }
  expect(await format.count(outsidePath(file), checkOptions(format, options), control)).toBe(expected.length)
})
