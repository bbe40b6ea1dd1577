import { expect, it } from 'vitest'
import { membersOf } from '../../../../src/kernel/members.ts'
import { holdsValue, openSink, rowsOf, runOf, type SinkJobs, writePage } from '../../../kit/sinks.ts'

/** Which columns are made for which values, and what becomes of them. */
export function typesContract(jobs: SinkJobs, is: { readonly postgres: boolean }): void {
  const { job, held } = jobs
  const typesOf = async (table: string) =>
    Object.fromEntries((await jobs.there.columns(table)).map(({ name, type }) => [name, type.toLowerCase()]))
  const either = (postgres: string, sqlite: string) => (is.postgres ? postgres : sqlite)

  /** Values of a column `v`, by rows numbered from 1, as JSON texts. */
  const valuesOf = async (table: string) =>
    (await jobs.there.rows(`select * from "${table}" order by id`)).map(row => membersOf(row).get('v')!)

  const expectValues = async (table: string, expected: readonly string[]) => {
    const actual = await valuesOf(table)
    expect(actual).toHaveLength(expected.length)
    for (const [i, value] of expected.entries())
      expect(holdsValue(value, actual[i]!), `${value} is ${actual[i]}`).toBe(true)
  }

  const COLUMNS: [string, readonly string[], string, string][] = [
    ['boolean', ['true', 'false', 'null'], 'boolean', 'boolean'],
    ['bigint', ['0', '-1', '9223372036854775807', '-9223372036854775808', '-0'], 'bigint', 'integer'],
    ['double', ['0.1', '1', '-2.5e-3', '1e100', '1.0', '0.30000000000000004'], 'double precision', 'real'],
    ['integers past 64 bits', ['1', '9223372036854775808'], 'numeric', 'text'],
    ['decimals that no double is', ['0.1', '0.12345678901234567890123', '1e400'], 'numeric', 'text'],
    ['numbers that no decimal holds', ['1', '1e200000', '-1e-20000'], 'text', 'text'],
    ['large integers beside fractions', ['9007199254740993', '0.5'], 'numeric', 'numeric'],
    ['text', ['"2024-01-01"', '"5"', '""', '"true"', '"  x "', '"\\u00e9\\n\\"\\\\ 漢字 😀"'], 'text', 'text'],
    ['objects and arrays', ['{"a":[1,{"b":null}]}', '[]', '[1.5,"x"]'], 'jsonb', 'json'],
    ['numbers and texts', ['1', '"x"', '1.5', '"1"'], 'text', 'text'],
    ['truths and numbers', ['true', '0'], 'text', 'text'],
    ['objects and texts', ['{"a":1}', '"{}"'], 'text', 'text'],
    ['nothing but null', ['null', 'null'], 'text', ''],
  ]

  it.each(COLUMNS)('%s, in one page', async (_, values, postgres, sqlite) => {
    const { table, destination } = job({ key_columns: ['id'] })
    expect(await runOf(destination, {}, [rowsOf(values.map((v, i) => `{"id":${i + 1},"v":${v}}`))])).toEqual([])
    expect((await typesOf(table)).v).toBe(either(postgres, sqlite))
    await expectValues(table, values)
  })

  it.each(COLUMNS)('%s, a page each', async (_, values) => {
    for (const order of [values, values.toReversed()]) {
      const { table, destination } = job({ key_columns: ['id'] })
      const pages = order.map((v, i) => rowsOf([`{"id":${i + 1},"v":${v}}`]))
      expect(await runOf(destination, {}, pages)).toEqual([])
      await expectValues(table, order)
    }
  })

  const WIDENED: [from: string, to: string, postgres: string, sqlite: string][] = [
    ['null', '1', 'bigint', 'integer'],
    ['null', '{"a":1}', 'jsonb', 'json'],
    ['true', '"x"', 'text', 'text'],
    ['1', '1.5', 'numeric', 'numeric'],
    ['1', '9223372036854775808', 'numeric', is.postgres ? '' : 'text'],
    ['0.30000000000000004', '9007199254740993', 'numeric', 'numeric'],
    ['0.30000000000000004', '"x"', 'text', 'text'],
    ['-9223372036854775808', '"x"', 'text', 'text'],
    ['false', '[1]', 'text', 'text'],
    ['{"a":"b"}', '1', 'text', 'text'],
  ]

  it.each(WIDENED)('a column of %s is made wider for %s', async (from, to, postgres, sqlite) => {
    for (const mode of ['upsert', 'scd2', 'append', 'replace']) {
      const keys = mode === 'append' || mode === 'replace' ? {} : { key_columns: ['id'] }
      const { table, destination } = job({ mode, ...keys })
      const page = (id: number, v: string) => rowsOf([`{"id":${id},"v":${v},"after":true}`])
      expect(await runOf(destination, {}, [page(1, from), page(2, to), page(3, from)])).toEqual([])
      expect(Object.keys(await typesOf(table)).slice(0, 3)).toEqual(['id', 'v', 'after'])
      expect((await typesOf(table)).v).toBe(either(postgres, sqlite))
      await expectValues(table, [from, to, from])
    }
  })

  it('a key is made wider, with the index over it', async () => {
    const { table, destination } = job({ key_columns: ['id'] })
    await runOf(destination, {}, [
      rowsOf(['{"id":1,"v":1}', '{"id":2,"v":2}']),
      rowsOf(['{"id":"x","v":3}', '{"id":2,"v":4}']),
      rowsOf(['{"id":"x","v":5}']),
    ])
    expect(await held(table)).toEqual([
      { id: '1', v: 1 },
      { id: '2', v: 4 },
      { id: 'x', v: 5 },
    ])
  })

  it('a decimal is whole in a column that another job has made wider meanwhile', async () => {
    const { table, destination } = job({ key_columns: ['id'] })
    const [one, other] = [await openSink(destination), await openSink(destination, { jobId: 'job_2' })]
    await writePage(one, 1, rowsOf(['{"id":1,"v":0.5}']))
    await writePage(other, 1, rowsOf(['{"id":2,"v":9007199254740993}']))
    await writePage(one, 2, rowsOf(['{"id":3,"v":0.30000000000000004}']))
    await writePage(other, 2, rowsOf(['{"id":4,"v":"x"}']))
    await writePage(one, 3, rowsOf(['{"id":5,"v":7}']))
    await expectValues(table, ['0.5', '9007199254740993', '0.30000000000000004', '"x"', '7'])
    await Promise.all([one.stop(), other.stop()])
  })

  it('what a page of several runs at once has widened is seen by the others', async () => {
    const { table, destination } = job({ key_columns: ['id'] })
    const [one, other] = [await openSink(destination), await openSink(destination, { jobId: 'job_2' })]
    const write = async (sink: typeof one, number: number, rows: readonly string[]) =>
      expect(await writePage(sink, number, rowsOf(rows))).toEqual([])
    await write(one, 1, ['{"id":1,"v":1}'])
    await write(other, 1, ['{"id":2,"v":"x","w":1}'])
    await write(one, 2, ['{"id":3,"v":3,"w":1.5}', '{"id":4,"x":true}'])
    await write(other, 2, ['{"id":5,"v":false,"x":1}'])
    expect(await held(table)).toMatchObject([
      { id: 1, v: '1' },
      { id: 2, v: 'x', w: 1 },
      { id: 3, v: '3', w: 1.5 },
      { id: 4, x: 'true' },
      { id: 5, v: 'false', x: '1' },
    ])
    await Promise.all([one.stop(), other.stop()])
  })

  it('indexes of users stay when a column is made wider', async () => {
    const { table, destination } = job({ key_columns: ['id'] })
    await runOf(destination, {}, [rowsOf(['{"id":1,"v":1}'])])
    await jobs.there.exec(`create index "own of ${table}" on "${table}"("v")`)
    await runOf(destination, { runId: 'run_2', from: 2 }, [rowsOf(['{"id":1,"v":"x"}'])])
    await expect(jobs.there.exec(`create index "own of ${table}" on "${table}"("v")`)).rejects.toThrow(/already exists/)
  })
}
