import { beforeEach, describe, expect, it } from 'vitest'
import type { Row, Table } from '../../src/kernel/projection.ts'
import type { Comparison, PageQuery, Store } from '../../src/store/store.ts'

/** A row of the contract's table: key owner and id, JSON text in data. */
export function thing(id: string, more: Partial<Row> = {}): Row {
  return { owner: 'o', id, data: '{}', count: 0, order: null, ...(more as Row) }
}

/** The part of the store's contract that is about conditions on fields of JSON text. */
export function fieldConditions(
  context: () => { store: Store; things: Table; put(rows: readonly Row[]): Promise<void> },
): void {
  describe('conditions on fields', () => {
    const VALUES = {
      absent: '{"other":1}',
      null: '{"f":null}',
      true: '{"f":true}',
      false: '{"f":false}',
      'minus one': '{"f":-1}',
      zero: '{"f":0}',
      one: '{"f":1}',
      'one, spelled 1.0': '{"f":1.0}',
      'one and a half': '{"f":15e-1}',
      ten: '{"f":10}',
      '2^53': '{"f":9007199254740992}',
      '2^53+1': '{"f":9007199254740993}',
      'text ""': '{"f":""}',
      'text "1"': '{"f":"1"}',
      'text "10"': '{"f":"10"}',
      'text "Z"': '{"f":"Z"}',
      'text "a"': '{"f":"\\u0061"}',
      'text "true"': '{"f":"true"}',
      'text "null"': '{"f":"null"}',
      'text "it\'s"': '{"f":"it\'s"}',
      'text "ä"': '{"f":"ä"}',
      'text "～"': '{"f":"～"}',
      'text "😀"': '{"f":"\\ud83d\\ude00"}',
      array: '{"f":[1]}',
      object: '{"f":{"f":1}}',
    }
    type Name = keyof typeof VALUES

    const page = async (query: Omit<PageQuery, 'table'>) => {
      const { store, things } = context()
      return (await store.page({ table: things, ...query })).map(row => row.id)
    }
    const ask = async (comparison: Comparison, value: string | number | bigint | boolean | null, field = 'f') => {
      const fields = [{ column: 'data', field, comparison, value }]
      return page({ equal: {}, fields, limit: 100 })
    }
    const others = (...not: Name[]) => {
      return Object.keys(VALUES)
        .filter(id => !not.includes(id as Name))
        .sort(byBytes)
    }

    beforeEach(() => context().put(Object.entries(VALUES).map(([id, data]) => thing(id, { data }))))

    const EQUAL: [string | number | bigint | boolean | null, Name[]][] = [
      [null, ['absent', 'null']],
      [true, ['true']],
      [false, ['false']],
      [1, ['one', 'one, spelled 1.0']],
      [1.5, ['one and a half']],
      [-0, ['zero']],
      [2 ** 53, ['2^53']],
      [9007199254740993n, ['2^53+1']],
      [10n, ['ten']],
      [7, []],
      ['1', ['text "1"']],
      ['', ['text ""']],
      ['a', ['text "a"']],
      ['true', ['text "true"']],
      ['null', ['text "null"']],
      ["it's", ['text "it\'s"']],
      ['😀', ['text "😀"']],
      ['[1]', []],
    ]
    it.each(EQUAL)('= and != %s', async (value, equal) => {
      expect(await ask('=', value)).toEqual([...equal].sort(byBytes))
      expect(await ask('!=', value)).toEqual(others(...equal))
    })

    const SMALL: Name[] = ['2^53', 'minus one', 'one', 'one and a half', 'one, spelled 1.0', 'ten', 'zero']
    const RANGES: [Comparison, string | number | bigint, Name[]][] = [
      ['<', 1, ['minus one', 'zero']],
      ['<=', 1, ['minus one', 'one', 'one, spelled 1.0', 'zero']],
      ['>', 1, ['2^53', '2^53+1', 'one and a half', 'ten']],
      ['>=', 1.5, ['2^53', '2^53+1', 'one and a half', 'ten']],
      ['>', 2 ** 53, ['2^53+1']],
      ['>=', 2 ** 53, ['2^53', '2^53+1']],
      ['<', 9007199254740993n, SMALL],
      ['>=', 9007199254740993n, ['2^53+1']],
      // Past what a database's own integers hold.
      ['>', 99999999999999999999n, []],
      ['>', -99999999999999999999n, [...SMALL, '2^53+1']],
      ['<', '1', ['text ""']],
      ['<=', '1', ['text ""', 'text "1"']],
      ['>', 'a', ['text "it\'s"', 'text "null"', 'text "true"', 'text "ä"', 'text "～"', 'text "😀"']],
      ['>=', 'ä', ['text "ä"', 'text "～"', 'text "😀"']],
      ['>', '～', ['text "😀"']],
      ['<', 'a', ['text ""', 'text "1"', 'text "10"', 'text "Z"']],
    ]
    it.each(RANGES)('%s %s: numbers with numbers, text with text by code point', async (comparison, value, wanted) => {
      expect(await ask(comparison, value)).toEqual([...wanted].sort(byBytes))
    })

    it('all hold together, and with columns, order and page', async () => {
      const fields = [
        { column: 'data', field: 'f', comparison: '>=', value: 0 },
        { column: 'data', field: 'f', comparison: '<', value: 10 },
      ] as const
      const query = { equal: { owner: 'o' }, fields }
      expect(await page({ ...query, limit: 2 })).toEqual(['one', 'one and a half'])
      const next = await page({ ...query, after: 'one and a half', limit: 9 })
      expect(next).toEqual(['one, spelled 1.0', 'zero'])
    })

    it.each(['a.b', '$', '[0]', '', ' ', "it's", 'a\\b', 'a\\', '\\u0061', 'tab\t', 'ä', '😀', '__proto__', '?', '%'])(
      'name a field to the character: %j',
      async field => {
        await context().put([thing('named', { data: JSON.stringify({ [field]: 'here', x: 1 }) })])
        expect(await ask('=', 'here', field)).toEqual(['named'])
        expect(await ask('=', 'here', `${field}x`)).toEqual([])
        expect(await ask('!=', 'here', field)).not.toContain('named')
      },
    )
  })
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
