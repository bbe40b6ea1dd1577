import { expect, it } from 'vitest'
import { openSink, rowsOf, runOf, type SinkJobs, writePage } from '../../../kit/sinks.ts'

/** What each mode does with the rows of its pages. */
export function modesContract(jobs: SinkJobs): void {
  const { job, held, names } = jobs

  it('append: every row, in a table with the columns of the rows in their order, and no others', async () => {
    const { table, destination } = job()
    const sink = await openSink(destination)
    expect(sink.checkpoint).toBeUndefined()
    await writePage(sink, 1, rowsOf(['{"name":"A","id":1,"ok":true}', '{"id":1,"price":1.5,"tags":["x"]}']))
    await writePage(sink, 2, rowsOf(['{"more":null,"id":2}']))
    expect(await names(table)).toEqual(['name', 'id', 'ok', 'price', 'tags', 'more'])
    expect(await held(table, 'id, price nulls first')).toEqual([
      { name: 'A', id: 1, ok: true, price: null, tags: null, more: null },
      { name: null, id: 1, ok: null, price: 1.5, tags: ['x'], more: null },
      { name: null, id: 2, ok: null, price: null, tags: null, more: null },
    ])
    expect(sink.checkpoint).toEqual({ runId: 'run_1', number: 2 })
    await sink.stop()
  })

  it('append appends whatever the key columns', async () => {
    const { table, destination } = job({ mode: 'append', key_columns: ['id'] })
    await runOf(destination, {}, [rowsOf(['{"id":1,"n":1}', '{"id":1,"n":2}', '{"n":3}'])])
    expect(await held(table, 'n')).toHaveLength(3)
  })

  it('append is the mode without key columns, upsert with them', async () => {
    const [plain, keyed] = [job(), job({ key_columns: ['id'] })]
    for (const { destination } of [plain, keyed])
      await runOf(destination, {}, [rowsOf(['{"id":1,"n":1}', '{"id":1,"n":2}'])])
    expect(await held(plain.table, 'n')).toEqual([
      { id: 1, n: 1 },
      { id: 1, n: 2 },
    ])
    expect(await held(keyed.table)).toEqual([{ id: 1, n: 2 }])
  })

  it('insert_only: rows whose keys are there stay as they are', async () => {
    const { table, destination } = job({ mode: 'insert_only', key_columns: ['id'] })
    await runOf(destination, {}, [
      rowsOf(['{"id":1,"n":1}', '{"id":1,"n":2}']),
      rowsOf(['{"id":1,"n":3}', '{"id":2,"n":4}']),
    ])
    expect(await held(table)).toEqual([
      { id: 1, n: 1 },
      { id: 2, n: 4 },
    ])
    expect(await names(table)).toEqual(['id', 'n'])
  })

  it('upsert: the last row of a key counts, whole: what it has not is null', async () => {
    const { table, destination } = job({ mode: 'upsert', key_columns: ['id'] })
    await runOf(destination, {}, [
      rowsOf(['{"id":1,"a":1,"b":1}', '{"id":2,"a":2,"b":2}', '{"id":1,"a":3}']),
      rowsOf(['{"id":2,"c":true}']),
    ])
    expect(await names(table)).toEqual(['id', 'a', 'b', 'c'])
    expect(await held(table)).toEqual([
      { id: 1, a: 3, b: null, c: null },
      { id: 2, a: null, b: null, c: true },
    ])
  })

  it('upsert by several columns, of several types', async () => {
    const { table, destination } = job({ key_columns: ['region', 'n'] })
    await runOf(destination, {}, [
      rowsOf(['{"v":1,"n":1,"region":"a"}', '{"v":2,"n":2,"region":"a"}', '{"v":3,"n":1,"region":"b"}']),
      rowsOf(['{"v":4,"n":1,"region":"a"}', '{"v":5,"n":1,"region":"a"}']),
    ])
    expect((await held(table, 'v')).map(({ v }) => v)).toEqual([2, 3, 5])
  })

  it('upsert where the key is all there is', async () => {
    const { table, destination } = job({ key_columns: ['id'] })
    await runOf(destination, {}, [rowsOf(['{"id":1}', '{"id":2}', '{"id":1}']), rowsOf(['{"id":2}'])])
    expect(await held(table)).toEqual([{ id: 1 }, { id: 2 }])
  })

  it('replace: the rows of the run and nothing else, once it is complete', async () => {
    const { table, destination } = job({ mode: 'replace' })
    await runOf(destination, {}, [rowsOf(['{"id":1,"a":1}']), rowsOf(['{"id":1,"a":2}'])])
    expect(await held(table, 'a')).toEqual([
      { id: 1, a: 1 },
      { id: 1, a: 2 },
    ])
    const sink = await openSink(destination, { runId: 'run_2' })
    await writePage(sink, 3, rowsOf(['{"b":"x","id":7}']))
    expect(await held(table, 'a')).toHaveLength(2)
    await sink.complete()
    await sink.complete()
    await sink.stop()
    expect(await names(table)).toEqual(['b', 'id'])
    expect(await held(table)).toEqual([{ b: 'x', id: 7 }])
  })

  it('replace with key columns has one row a key', async () => {
    const { table, destination } = job({ mode: 'replace', key_columns: ['id'] })
    const pages = [rowsOf(['{"id":1,"a":1}', '{"id":2,"a":2}']), rowsOf(['{"id":1,"a":3}', ['2', null]])]
    await runOf(destination, {}, pages)
    expect(await held(table)).toEqual([{ id: 1, a: 3 }])
    await runOf(destination, { runId: 'run_2', from: 3 }, pages)
    expect(await held(table)).toEqual([{ id: 1, a: 3 }])
  })

  it('replace by a run without rows leaves an empty table', async () => {
    const { table, destination } = job({ mode: 'replace' })
    await runOf(destination, {}, [rowsOf(['{"id":1}'])])
    await runOf(destination, { runId: 'run_2', from: 2 }, [[]])
    expect(await held(table)).toEqual([])
  })

  it('replace begins anew after a run that did not come to its end, and goes on with one that did not yet', async () => {
    const { table, destination } = job({ mode: 'replace' })
    const cancelled = await openSink(destination)
    await writePage(cancelled, 1, rowsOf(['{"id":1}']))
    await cancelled.stop()
    const paused = await openSink(destination, { runId: 'run_2' })
    await writePage(paused, 2, rowsOf(['{"id":2}']))
    await paused.stop()
    const resumed = await openSink(destination, { runId: 'run_2' })
    expect(resumed.checkpoint).toEqual({ runId: 'run_2', number: 2 })
    await writePage(resumed, 2, rowsOf(['{"id":2}']))
    await writePage(resumed, 3, rowsOf(['{"id":3}']))
    await resumed.complete()
    await resumed.stop()
    expect(await held(table)).toEqual([{ id: 2 }, { id: 3 }])
  })

  it('scd2: a version for each change, one after the other, and none for what stays the same', async () => {
    const { table, destination } = job({ mode: 'scd2', key_columns: ['id'] })
    await runOf(destination, {}, [
      rowsOf(['{"id":1,"a":1}', '{"id":2,"a":1}'], 1000),
      rowsOf(['{"id":1,"a":1.0}', '{"id":2,"a":2}'], 2000),
      rowsOf(['{"id":2,"a":3,"b":true}', '{"id":2,"a":3,"b":true}', '{"id":2,"a":4}'], 3000),
      // A clock that goes back.
      rowsOf(['{"id":2,"a":5}'], 2500),
    ])
    expect(await names(table)).toEqual(['id', 'a', 'valid_from', 'valid_to', 'is_current', 'b'])
    const at = (second: number | null) => (second === null ? null : second * 1000)
    const version = (id: number, a: number, b: boolean | null, from: number, to: number | null) => ({
      ...{ id, a, b, valid_from: at(from), valid_to: at(to), is_current: to === null },
    })
    const rows = (await held(table, 'id, a')).map(row => ({
      ...row,
      valid_from: timeOf(row.valid_from),
      valid_to: timeOf(row.valid_to),
    }))
    expect(rows).toEqual([
      version(1, 1, null, 1, null),
      version(2, 1, null, 1, 2),
      version(2, 2, null, 2, 3),
      version(2, 3, true, 3, 3),
      version(2, 4, null, 3, 3),
      version(2, 5, null, 3, null),
    ])
  })

  it('scd2 on a table of before: its rows are versions that begin nobody knows when', async () => {
    const { table, destination } = job({ key_columns: ['id'] })
    await runOf(destination, {}, [rowsOf(['{"id":1,"a":1}', '{"id":2,"a":1}'])])
    await runOf({ ...destination, mode: 'scd2' }, { jobId: 'job_2' }, [
      rowsOf(['{"id":1,"a":1}', '{"id":2,"a":2}'], 5000),
    ])
    const rows = await held(table, 'id, a')
    expect(
      rows.map(({ id, a, is_current, valid_from, valid_to }) => [
        id,
        a,
        is_current,
        timeOf(valid_from),
        timeOf(valid_to),
      ]),
    ).toEqual([
      [1, 1, true, null, null],
      [2, 1, false, null, 5000],
      [2, 2, true, 5000, null],
    ])
  })

  it('two jobs write to one table, each its own columns', async () => {
    const { table, destination } = job({ key_columns: ['id'] })
    await runOf(destination, {}, [rowsOf(['{"id":1,"a":1}', '{"id":2,"a":2}'])])
    await runOf(destination, { jobId: 'job_2' }, [rowsOf(['{"id":1,"b":1}', '{"id":3,"b":3}'])])
    await runOf(destination, { runId: 'run_2', from: 2 }, [rowsOf(['{"id":1,"a":5}'])])
    expect(await held(table)).toEqual([
      { id: 1, a: 5, b: 1 },
      { id: 2, a: 2, b: null },
      { id: 3, a: null, b: 3 },
    ])
  })
}

function timeOf(value: unknown): number | null {
  return value === null ? null : Date.parse(value as string)
}
