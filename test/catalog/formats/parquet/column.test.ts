import { closeSync, openSync } from 'node:fs'
import { expect, it } from 'vitest'
import { openColumn } from '../../../../src/catalog/formats/parquet/column.ts'
import { createBudget } from '../../../../src/catalog/formats/parquet/pages.ts'
import { readSchema } from '../../../../src/catalog/formats/parquet/schema.ts'
import { readStruct, type Value } from '../../../../src/catalog/formats/parquet/thrift.ts'
import { withFile } from '../../../kit/files.ts'
import { DEFAULT_LIMITS } from '../../../kit/limits.ts'
import { int32s, page, thrift } from '../../../kit/parquet.ts'

/** A row may go on in another page, and a column that has no levels is not asked for them before its next value. */
it('gives values from page to page without being asked for levels', async () => {
  const pages = Buffer.concat([page({ body: int32s(1, 2), values: 2 }), page({ body: int32s(3), values: 1 })])
  const elements: Value[] = [
    { 4: 'root', 5: 1 },
    { 1: 1, 3: 0, 4: 'n' },
  ].map(each => readStruct(thrift(each), 0).struct)
  const leaf = readSchema(elements, DEFAULT_LIMITS).children[0]!
  await withFile(pages, async path => {
    const fd = openSync(path, 'r')
    const chunk = { leaf, codec: 0, values: 3, start: 0, end: pages.length }
    const column = openColumn(fd, chunk, createBudget(1000), DEFAULT_LIMITS)
    const texts = [1, 2, 3].map(() => {
      const text = column.text()
      column.advance()
      return text
    })
    expect(texts).toEqual(['1', '2', '3'])
    expect(column.ended).toBe(true)
    closeSync(fd)
  })
})
