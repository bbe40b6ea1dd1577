import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { categoryOf } from '../../src/domain/dataset-category.ts'

const docs = readFileSync(new URL('../../docs/quality.md', import.meta.url), 'utf8')
const [, table] = docs.split('| category | columns |\n| --- | --- |\n')
const listed = table!
  .slice(0, table!.indexOf('\n\n'))
  .split('\n')
  .map(line => line.split('|').map(cell => cell.trim()))
  .map(([, category, columns]) => [category!, columns!.split(', ')] as const)

describe('the category of columns', () => {
  it.each(listed)('is %s as it is documented', (category, columns) => {
    expect(columns.length).toBeGreaterThan(8)
    expect(categoryOf(columns)).toBe(category)
    for (const [at, column] of columns.slice(1).entries()) {
      expect(categoryOf([columns[at]!, column, 'x'])).toBe(category)
      expect(categoryOf([column])).toBeNull()
    }
    expect(categoryOf([...columns.slice(0, 3), ...columns.slice(0, 3).map(name => name.toUpperCase())])).toBe(category)
  })

  it('reads names as words, counts each once, and of as many takes the first', () => {
    for (const [first, last] of [
      ['firstName', 'lastName'],
      ['first_name', 'LAST-NAME'],
      ['First Name', ' last.name '],
    ])
      expect(categoryOf([first!, last!])).toBe('customer')
    expect(categoryOf(['firstName', 'first_name', 'FIRST NAME'])).toBeNull()
    expect(categoryOf(['sku', 'brand', 'phone', 'email'])).toBe('customer')
    expect(categoryOf(['sku', 'brand', 'price', 'phone', 'email'])).toBe('product')
    expect(categoryOf([])).toBeNull()
  })
})
