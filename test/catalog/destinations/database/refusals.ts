import { expect, it } from 'vitest'
import type { SinkRefusal } from '../../../../src/catalog/destinations/destination.ts'
import { property } from '../../../kit/random.ts'
import { rowsOf, runOf, type SinkJobs } from '../../../kit/sinks.ts'

/** Rows that cannot go in: they are told one by one, with what is wrong, and the others go in. */
export function refusalsContract(jobs: SinkJobs, is: { readonly postgres: boolean }): void {
  const { job, held, names } = jobs
  const told = (refused: readonly SinkRefusal[]) => refused.map(({ row, code, field }) => [row.number, code, field])

  it('a row without a key, and what is no object', async () => {
    const { table, destination } = job({ key_columns: ['id'] })
    const rows = rowsOf(['{"id":1}', '{"id":null}', '{"x":5}', '{"id":2}'])
    const refused = await runOf(destination, {}, [[...rows, { ...rows[0]!, number: 5, data: '[1]' }]])
    expect(told(refused)).toEqual([
      [2, 'MISSING_FIELD', 'id'],
      [3, 'MISSING_FIELD', 'id'],
      [5, 'INVALID_VALUE', null],
    ])
    expect(await held(table)).toEqual([{ id: 1 }, { id: 2 }])
    // A row that is not in makes no column.
    expect(await names(table)).toEqual(['id'])
  })

  it('names that cannot be those of columns', async () => {
    const { table, destination } = job()
    const long = 'é'.repeat(32)
    const fields = ['""', '"a\\u0000b"', '"\\ud800"', ...(is.postgres ? [`"${long}"`, '"ctid"'] : [])]
    const fitting = [
      `"${'é'.repeat(31)}"`,
      '"order"',
      '"a\\"b"',
      `"a'b"`,
      '"列 😀"',
      '"$1"',
      '"a.b"',
      '" "',
      '"?"',
      '"rowid2"',
    ]
    const rows = rowsOf([...fitting, ...fields].map(name => `{${name}:1}`))
    const refused = await runOf(destination, {}, [rows])
    expect(refused.map(({ code, field }) => [code, field])).toEqual(
      fields.map(name => ['INVALID_FIELD', JSON.parse(name)]),
    )
    expect(await names(table)).toEqual(fitting.map(name => JSON.parse(name)))
  })

  it('rows without fields, and fields with names of the sink’s own', async () => {
    const { table, destination } = job()
    const pages = ['{}', '{"id":1,"_superinsight_n":1}', '{"id":2}', '{ }']
    expect(told(await runOf(destination, {}, [rowsOf(['{}'])]))).toEqual([[1, 'MISSING_FIELD', null]])
    for (const runId of ['run_2', 'run_3']) {
      const refused = await runOf(destination, { runId, from: Number(runId.at(-1)) }, [
        rowsOf(['{"id":0}']),
        rowsOf(pages),
      ])
      expect(told(refused)).toEqual([
        [1, 'MISSING_FIELD', null],
        [2, 'INVALID_FIELD', '_superinsight_n'],
        [4, 'MISSING_FIELD', null],
      ])
    }
    expect(await names(table)).toEqual(['id'])
  })

  it('a field twice in a row, where names differ in their case alone', async () => {
    const { table, destination } = job()
    const refused = await runOf(destination, {}, [rowsOf(['{"Id":1}', '{"id":2,"n":1}', '{"ID":3,"id":4}'])])
    expect(told(refused)).toEqual(is.postgres ? [] : [[3, 'FIELD_EXISTS', 'id']])
    expect(await names(table)).toEqual(is.postgres ? ['Id', 'id', 'n', 'ID'] : ['Id', 'n'])
  })

  it('more fields than a table can have columns', async () => {
    const { table, destination } = job()
    const wide = (from: number) => `{"id":1,${Array.from({ length: 600 }, (_, i) => `"f${from + i}":1`).join(',')}}`
    const refused = await runOf(destination, {}, [rowsOf([wide(0)]), rowsOf([wide(600), '{"id":2,"f7":8}'])])
    expect(told(refused)).toEqual([[1, 'TOO_MANY_FIELDS', 'f999']])
    expect(await names(table)).toHaveLength(601)
    expect((await held(table)).map(({ id, f7 }) => [id, f7])).toEqual([
      [1, 1],
      [2, 8],
    ])
  })

  it('texts with NUL where the database has none, and with half a surrogate pair', async () => {
    const { table, destination } = job()
    const refused = await runOf(destination, {}, [
      rowsOf([
        '{"id":1,"v":"a\\u0000b"}',
        '{"id":2,"v":"\\ud83d"}',
        '{"id":3,"v":"\\ud83d\\ude00"}',
        '{"id":4,"v":"\\\\u0000"}',
      ]),
    ])
    const codes = told(refused)
    expect(codes).toEqual(
      is.postgres
        ? [
            [1, 'INVALID_VALUE', 'v'],
            [2, 'INVALID_VALUE', 'v'],
          ]
        : [[2, 'INVALID_VALUE', 'v']],
    )
    if (!is.postgres)
      expect(await jobs.there.rows(`select hex(v) as v from "${table}" where id = 1`)).toEqual(['{"v":"610062"}'])
    expect((await held(table)).filter(({ id }) => (id as number) > 2)).toEqual([
      { id: 3, v: '😀' },
      { id: 4, v: '\\u0000' },
    ])
  })

  it('objects that PostgreSQL’s jsonb does not take', async () => {
    const { table, destination } = job()
    const rows = rowsOf([
      '{"id":1,"v":{"a":1}}',
      '{"id":2,"v":{"a":"\\u0000"}}',
      '{"id":3,"v":["\\ud800"]}',
      '{"id":4,"v":[1e400]}',
    ])
    const refused = await runOf(destination, {}, [rows])
    expect(refused.map(({ row, code }) => [row.number, code])).toEqual(
      is.postgres
        ? [
            [2, 'INVALID_VALUE'],
            [3, 'INVALID_VALUE'],
          ]
        : [],
    )
    expect((await held(table)).map(({ id }) => id)).toEqual(is.postgres ? [1, 4] : [1, 2, 3, 4])
  })

  it('what a constraint of the table forbids, in every mode', async () => {
    for (const mode of ['append', 'insert_only', 'upsert', 'scd2', 'replace']) {
      const keys = mode === 'append' || mode === 'replace' ? {} : { key_columns: ['id'] }
      const { table, destination } = job({ mode, ...keys })
      await jobs.there.exec(
        `create table "${table}" (id integer not null, n integer not null check (n < 100), at text)`,
      )
      const bad = [3, 10, 11, 12, 40, 49]
      const rows = rowsOf(Array.from({ length: 50 }, (_, i) => `{"id":${i},"n":${bad.includes(i) ? 100 + i : i}}`))
      const refused = await runOf(destination, {}, [[...rows, ...rowsOf(['{"id":70,"n":null}', '{"id":71}'])]])
      const expected = [...bad.map(i => i + 1), 1, 2]
      expect(refused.map(({ row }) => row.number)).toEqual(expected)
      expect(refused.map(({ code }) => code)).toEqual(Array(8).fill('CONSTRAINT_VIOLATION'))
      expect(refused.map(({ field }) => field).slice(6)).toEqual(['n', 'n'])
      expect(await held(table)).toHaveLength(44)
    }
  })

  it('each row that cannot go in and no other, wherever they stand', async () => {
    await property(5, async random => {
      const { table, destination } = job({ key_columns: ['id'] })
      await jobs.there.exec(`create table "${table}" (id integer primary key, n integer check (n >= 0))`)
      const ids = Array.from({ length: 1 + random.int(60) }, (_, i) => i)
      const bad = ids.filter(() => random.chance(0.3))
      const rows = rowsOf(ids.map(id => `{"id":${id},"n":${bad.includes(id) ? -1 : 1}}`))
      const refused = await runOf(destination, {}, [rows])
      expect(refused.map(({ row }) => row.id)).toEqual(bad.map(String))
      expect((await held(table)).map(({ id }) => id)).toEqual(ids.filter(id => !bad.includes(id)))
    })
  })

  it('a refused row that comes after another one of its key leaves that one', async () => {
    const { table, destination } = job({ key_columns: ['id'] })
    await jobs.there.exec(`create table "${table}" (id integer primary key, n integer check (n >= 0))`)
    const refused = await runOf(destination, {}, [rowsOf(['{"id":1,"n":1}', '{"id":2,"n":1}', '{"id":1,"n":-1}'])])
    expect(told(refused)).toMatchObject([[3, 'CONSTRAINT_VIOLATION', null]])
    expect(await held(table)).toEqual([
      { id: 1, n: 1 },
      { id: 2, n: 1 },
    ])
  })
}
