import { describe, expect, it } from 'vitest'
import { messagesOf } from '../../../../src/catalog/destinations/kafka/messages.ts'
import { rowsOf } from '../../../kit/sinks.ts'

describe('rows as messages', () => {
  const limits = { jobId: 'job_1', maxBytes: 1000 }
  const keys = (key: string | undefined, rows: Parameters<typeof rowsOf>[0]) => {
    const { batches, refused } = messagesOf(rowsOf(rows), { ...limits, key })
    return [batches.flat().map(message => message.key), refused.map(({ code, field }) => [code, field])]
  }

  it('have the record’s id as key, unless a member is named', () => {
    const rows = ['{"id":7,"a":{"b~/c":"x"}}', '{"id":"é","a":{"b~/c":1.0}}', '{"id":1,"a":{"b~/c":{"z":1,"y":2}}}']
    expect(keys(undefined, rows)).toEqual([['7', 'é', '1'], []])
    expect(keys('id', rows)).toEqual([['7', 'é', '1'], []])
    expect(keys('/a/b~0~1c', rows)).toEqual([['x', '1', '{"y":2,"z":1}'], []])
    expect(keys('a', ['{"a":true}', '{"a":[1, 2]}'])).toEqual([['true', '[1,2]'], []])
    expect(keys('a/b', ['{"a/b":"slash"}'])).toEqual([['slash'], []])
  })

  it('without a key are refused', () => {
    const rows = ['{"id":1}', '{"id":2,"k":null}', ['3', null], '{"k":"here"}'] as const
    expect(keys('k', rows)).toEqual([
      ['here'],
      [
        ['MISSING_FIELD', 'k'],
        ['MISSING_FIELD', 'k'],
        ['MISSING_FIELD', 'k'],
      ],
    ])
  })

  it('that are too large are refused, and the others are cut into batches that fit', () => {
    const row = (id: number, length: number) => `{"id":${id},"v":"${'é'.repeat(length)}"}`
    const rows = rowsOf([row(1, 100), row(2, 450), row(3, 500), row(4, 100), row(5, 100), row(6, 300)])
    const { batches, refused } = messagesOf(rows, { ...limits, key: undefined })
    expect(refused.map(({ row: { id }, code }) => [id, code])).toEqual([
      ['2', 'TOO_LONG'],
      ['3', 'TOO_LONG'],
    ])
    expect(batches.map(batch => batch.map(({ key }) => key))).toEqual([['1', '4'], ['5'], ['6']])
  })
})
