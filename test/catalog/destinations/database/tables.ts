import { expect, it } from 'vitest'
import { openSink, rowsOf, runOf, type SinkJobs, writePage } from '../../../kit/sinks.ts'

/** Tables that were there before, and names of every kind. */
export function tablesContract(jobs: SinkJobs, is: { readonly postgres: boolean }): void {
  const { job, held, names } = jobs
  const { exec } = { exec: (sql: string) => jobs.there.exec(sql) }

  it('a user’s table is used as it is: its types stay, what is missing is added, what is its own is left alone', async () => {
    const { table, destination } = job({ key_columns: ['id'] })
    await exec(
      `create table "${table}" (note varchar(20) default 'own', id integer primary key, price real, ok boolean)`,
    )
    await exec(`insert into "${table}"(id, price, note) values (1, 1, 'kept')`)
    const refused = await runOf(destination, {}, [
      rowsOf([
        '{"id":1,"price":2.5,"ok":true}',
        '{"id":"2","price":3,"ok":"true","more":[1]}',
        '{"id":3.0,"price":"x"}',
      ]),
      rowsOf(['{"id":4.5}', '{"id":"x"}', '{"id":5,"ok":7.5}', '{"id":6}']),
    ])
    expect(refused.map(({ row, code, field }) => [row.data, code, field])).toEqual([
      ['{"id":3.0,"price":"x"}', 'INVALID_VALUE', 'price'],
      ['{"id":4.5}', 'INVALID_VALUE', 'id'],
      ...(is.postgres
        ? [
            ['{"id":"x"}', 'INVALID_VALUE', 'id'],
            ['{"id":5,"ok":7.5}', 'INVALID_VALUE', 'ok'],
          ]
        : [
            ['{"id":"x"}', 'INVALID_VALUE', 'id'],
            ['{"id":5,"ok":7.5}', 'INVALID_VALUE', 'ok'],
          ]),
    ])
    expect(await names(table)).toEqual(['note', 'id', 'price', 'ok', 'more'])
    expect(await held(table)).toMatchObject([
      { id: 1, price: 2.5, note: 'kept', ok: true },
      { id: 2, price: 3, note: 'own', ok: true },
      { id: 6, price: null, note: 'own', ok: null },
    ])
  })

  it('a user’s table without an index over the keys gets one, and is refused when its rows have them twice', async () => {
    const { table, destination } = job({ key_columns: ['id'] })
    await exec(`create table "${table}" (id integer, n integer)`)
    await exec(`insert into "${table}" values (1, 1)`)
    await runOf(destination, {}, [rowsOf(['{"id":1,"n":2}'])])
    expect(await held(table)).toEqual([{ id: 1, n: 2 }])
    const twice = job({ key_columns: ['id'] })
    await exec(`create table "${twice.table}" (id integer, n integer)`)
    await exec(`insert into "${twice.table}" values (1, 1), (1, 2)`)
    await expect(openSink(twice.destination)).rejects.toMatchObject({
      code: 'VALIDATION_ERROR',
      details: [{ field: 'destination.key_columns' }],
    })
    expect(await held(twice.table, 'n')).toHaveLength(2)
  })

  it('rows of an append that keys cannot tell apart', async () => {
    const { destination } = job()
    await runOf(destination, {}, [rowsOf(['{"id":1}', '{"id":1}'])])
    await expect(openSink({ ...destination, key_columns: ['id'] }, { jobId: 'job_2' })).rejects.toThrow(/key_columns/)
  })

  it('replace in a user’s table: types, views, indexes and grants stay', async () => {
    const { table, destination } = job({ mode: 'replace' })
    await exec(`create table "${table}" (id integer, n integer not null, note text default 'x')`)
    await exec(`create index "by n of ${table}" on "${table}"(n)`)
    await exec(`create view "view of ${table}" as select id from "${table}"`)
    await exec(`insert into "${table}"(id, n) values (1, 1)`)
    const refused = await runOf(destination, {}, [
      rowsOf(['{"n":"7","id":2,"more":true}', '{"id":3}', '{"id":4,"n":"x"}']),
    ])
    expect(refused.map(({ row }) => row.id).toSorted()).toEqual(['3', '4'])
    expect(await held(table)).toMatchObject([{ id: 2, n: 7, more: true }])
    expect((await jobs.there.rows(`select * from "view of ${table}"`)).map(row => JSON.parse(row))).toEqual([{ id: 2 }])
    await runOf(destination, { runId: 'run_2', from: 2 }, [[]])
    expect(await held(table)).toEqual([])
    await expect(exec(`create index "by n of ${table}" on "${table}"(n)`)).rejects.toThrow(/already exists/)
  })

  it('replace in a table of ours that something hangs on: it stays, and what hangs on it', async () => {
    const { table, destination } = job({ mode: 'replace', key_columns: ['id'] })
    await runOf(destination, {}, [rowsOf(['{"id":1,"n":1,"old":true}'])])
    await exec(`create view "view of ${table}" as select id from "${table}"`)
    await exec(`create index "by n of ${table}" on "${table}"(n)`)
    await runOf(destination, { runId: 'run_2', from: 2 }, [rowsOf(['{"id":2,"n":"x"}', '{"id":3,"more":{}}'])])
    expect(await held(table)).toEqual([
      { id: 2, n: 'x', old: null, more: null },
      { id: 3, n: null, old: null, more: {} },
    ])
    await expect(exec(`create index "by n of ${table}" on "${table}"(n)`)).rejects.toThrow(/already exists/)
    expect(await jobs.there.rows(`select count(*) as n from "view of ${table}"`)).toEqual([
      expect.stringMatching(/2}$/),
    ])
  })

  it('replace many times: nothing is left beside the table', async () => {
    const { table, destination } = job({ mode: 'replace', key_columns: ['id'] })
    const before = await jobs.there.tables()
    for (let n = 1; n <= 4; n++) await runOf(destination, { runId: `run_${n}`, from: n }, [rowsOf([`{"id":${n}}`])])
    expect(await held(table)).toEqual([{ id: 4 }])
    expect((await jobs.there.tables()).filter(name => !before.includes(name))).toEqual([table])
  })

  it('who reads while a table is replaced sees all of the old rows or all of the new ones', async () => {
    const { table, destination } = job({ mode: 'replace' })
    const fill = (v: number) => rowsOf(Array.from({ length: 500 }, (_, id) => `{"id":${id},"v":${v}}`))
    await runOf(destination, {}, [fill(0)])
    const done = new AbortController()
    const seen = new Set<string>()
    const reading = (async () => {
      while (!done.signal.aborted) {
        const rows = await jobs.there.rows(`select v, count(*) as n from "${table}" group by v`)
        seen.add(rows.map(row => JSON.parse(row).n).join())
        await new Promise(resolve => setImmediate(resolve))
      }
    })()
    for (let n = 1; n <= 10; n++) {
      // Every second time in place.
      if (n === 5) await exec(`create index "tied ${table}" on "${table}"(v)`)
      await runOf(destination, { runId: `run_${n + 1}`, from: n + 1 }, [fill(n)])
    }
    done.abort()
    await reading
    expect([...seen]).toEqual(['500'])
  })

  it('names of every kind are only names', async () => {
    const odd = [
      'we"ird',
      `o'brien`,
      'order',
      'Ünïcode 漢字',
      'a;drop table x',
      '--',
      '$1',
      '?',
      'a\\b',
      ' ',
      'select * from t',
      "'); --",
    ]
    for (const name of odd) {
      const { destination } = job({ table: name, key_columns: [name], mode: 'upsert', on_delete: 'soft' })
      const row = (v: string) => `{${JSON.stringify(name)}:1,"v":${v},"${'x'.repeat(63)}":true}`
      expect(await runOf(destination, {}, [rowsOf([row('1')]), rowsOf([row('"x"')])])).toEqual([])
      expect(await names(name)).toEqual([name, 'v', 'x'.repeat(63), 'deleted_at'])
      const versions = { ...destination, table: `${name}2`, mode: 'scd2' }
      expect(await runOf(versions, { jobId: 'job_2' }, [rowsOf([row('1')]), rowsOf([row('"x"')])])).toEqual([])
      expect(await held(`${name}2`, 'v')).toHaveLength(2)
      const replaced = { ...destination, table: `${name}3`, mode: 'replace', on_delete: 'ignore' }
      for (const runId of ['run_1', 'run_2'])
        await runOf(replaced, { jobId: 'job_3', runId, from: Number(runId.at(-1)) }, [rowsOf([row('1')])])
      expect(await held(`${name}3`, 'v')).toHaveLength(1)
    }
  })

  it('columns with the names of all that the sink’s own SQL names', async () => {
    const columns = [
      'until',
      'changed',
      'held',
      'page',
      'gone',
      'n',
      'at',
      'met',
      'next',
      'seen',
      'since',
      'turn',
      'c0',
      'given',
      'excluded',
      'versions',
      'job_id',
    ]
    const row = (v: number) => `{"id":1,${columns.map(name => `"${name}":${v}`).join(',')}}`
    for (const more of [{ mode: 'scd2', on_delete: 'hard' }, { on_delete: 'soft' }, { mode: 'replace' }]) {
      const { table, destination } = job({ key_columns: ['id', ...columns.slice(0, 5)], ...more })
      expect(await runOf(destination, {}, [rowsOf([row(1)], 1000), rowsOf([row(2)], 2000)])).toEqual([])
      expect(await runOf(destination, { runId: 'run_2', from: 3 }, [rowsOf([row(2), row(3)], 3000)])).toEqual([])
      expect((await held(table, 'n')).map(({ n }) => n)).toEqual(
        'mode' in more && more.mode === 'replace' ? [2, 3] : [1, 2, 3],
      )
    }
  })

  it('what is no table is refused', async () => {
    const { table, destination } = job()
    await exec(`create view "${table}" as select 1 as id`)
    await expect(openSink(destination)).rejects.toMatchObject({ details: [{ field: 'destination.table' }] })
    await expect(openSink({ ...destination, mode: 'replace' })).rejects.toMatchObject({
      details: [{ field: 'destination.table' }],
    })
  })

  it('a table that is dropped in the middle of a run is made again', async () => {
    const { table, destination } = job({ key_columns: ['id'] })
    const sink = await openSink(destination)
    await writePage(sink, 1, rowsOf(['{"id":1,"v":1}']))
    await exec(`drop table "${table}"`)
    await writePage(sink, 2, rowsOf(['{"id":2}']))
    expect(await held(table)).toEqual([{ id: 2 }])
    await exec(`drop table "_superinsight_sinks"`)
    await writePage(sink, 3, rowsOf(['{"id":3}']))
    expect(await held(table)).toEqual([{ id: 2 }, { id: 3 }])
    await sink.stop()
  })

  it('a column that cannot be made wider keeps its type, and rows that do not fit are refused', async () => {
    const { table, destination } = job({ key_columns: ['id'] })
    const logged: { level: string; message: string; metadata: object }[] = []
    await runOf(destination, {}, [rowsOf(['{"id":1,"v":1}'])])
    if (is.postgres) await exec(`create view "fixed ${table}" as select v from "${table}"`)
    else await exec(`create table "fixed ${table}" (id integer references "${table}"(id))`)
    const refused = await runOf(destination, { runId: 'run_2', from: 2, logged }, [
      rowsOf(['{"id":2,"v":"x"}', '{"id":3,"v":2}', '{"id":4,"v":"5"}']),
      rowsOf(['{"id":5,"v":1.5}', '{"id":6,"v":6}']),
    ])
    expect(refused.map(({ row, code, field }) => [row.id, code, field])).toEqual([
      ['2', 'INVALID_VALUE', 'v'],
      ['5', 'INVALID_VALUE', 'v'],
    ])
    expect((await held(table)).map(({ id, v }) => [id, v])).toEqual([
      [1, 1],
      [3, 2],
      [4, 5],
      [6, 6],
    ])
    expect(logged.filter(({ level }) => level === 'warning')).toHaveLength(1)
  })
}
