import { expect, it } from 'vitest'
import { openSink, rowsOf, runOf, type SinkJobs, writePage } from '../../../kit/sinks.ts'

/** Rows that are deleted at the source, told of or not. */
export function deletesContract(jobs: SinkJobs): void {
  const { job, held, names } = jobs
  const idsOf = async (table: string) => (await held(table)).map(({ id }) => id)
  const goneOf = async (table: string) => (await held(table)).filter(row => row.deleted_at !== null).map(({ id }) => id)

  it('ignore: nothing is deleted, and nobody is told', async () => {
    const { table, destination } = job({ key_columns: ['id'] })
    const all = rowsOf(['{"id":1}', '{"id":2}'])
    expect(await runOf(destination, {}, [all, rowsOf([['1', null]])])).toEqual([])
    await runOf(destination, { runId: 'run_2', from: 3 }, [rowsOf(['{"id":3}'])])
    expect(await idsOf(table)).toEqual([1, 2, 3])
    expect(await names(table)).toEqual(['id'])
    expect((await jobs.there.tables()).filter(name => name.startsWith('_superinsight_seen'))).toEqual([])
  })

  it('hard: rows that the source says are deleted are taken away, and those that a whole run has not brought', async () => {
    const { table, destination } = job({ key_columns: ['id'], on_delete: 'hard' })
    await runOf(destination, {}, [
      rowsOf(['{"id":1}', '{"id":2}', '{"id":3}', '{"id":4}']),
      rowsOf([['1', null], '{"id":5}', ['5', null], ['2', null], '{"id":2}', ['99', null], ['no number', null]]),
    ])
    expect(await idsOf(table)).toEqual([2, 3, 4])
    await runOf(destination, { runId: 'run_2', from: 3 }, [rowsOf(['{"id":4}']), rowsOf(['{"id":6}'])])
    expect(await idsOf(table)).toEqual([4, 6])
    await runOf(destination, { runId: 'run_3', from: 5 }, [[]])
    expect(await idsOf(table)).toEqual([])
  })

  it('soft: they say since when they are deleted, and no more when they come back', async () => {
    const { table, destination } = job({ key_columns: ['id'], on_delete: 'soft' })
    await runOf(destination, {}, [
      rowsOf(['{"id":1,"a":1}', '{"id":2}', '{"id":3}'], 1000),
      rowsOf([['1', null]], 5000),
    ])
    expect(await names(table)).toEqual(['id', 'a', 'deleted_at'])
    const [first] = await held(table)
    expect(first).toMatchObject({ id: 1, a: 1 })
    expect(Date.parse(first!.deleted_at as string)).toBe(5000)
    const before = Date.now()
    await runOf(destination, { runId: 'run_2', from: 3 }, [rowsOf(['{"id":1,"a":1}', '{"id":2}'])])
    expect(await goneOf(table)).toEqual([3])
    const since = Date.parse((await held(table))[2]!.deleted_at as string)
    expect(since).toBeGreaterThanOrEqual(before)
    await runOf(destination, { runId: 'run_3', from: 4 }, [rowsOf(['{"id":1,"a":1}'])])
    expect(await goneOf(table)).toEqual([2, 3])
    expect(Date.parse((await held(table))[2]!.deleted_at as string)).toBe(since)
  })

  it('scd2: the current version is closed, and a row that comes back has a new one', async () => {
    const { table, destination } = job({ key_columns: ['id'], mode: 'scd2', on_delete: 'soft' })
    await runOf(destination, {}, [rowsOf(['{"id":1}', '{"id":2}', '{"id":3}'], 1000), rowsOf([['1', null]], 2000)])
    await runOf(destination, { runId: 'run_2', from: 3 }, [
      rowsOf(['{"id":1}', '{"id":2}'], 3000),
      rowsOf([['9', null]], 4000),
    ])
    const rows = await held(table, 'id, valid_from')
    expect(rows.map(({ id, is_current, valid_to }) => [id, is_current, valid_to === null])).toEqual([
      [1, false, false],
      [1, true, true],
      [2, true, true],
      [3, false, false],
    ])
    expect(Date.parse(rows[0]!.valid_to as string)).toBe(2000)
    expect(Date.parse(rows[1]!.valid_from as string)).toBe(3000)
  })

  it.each(['hard', 'soft'])('%s: a run that brings only what is new deletes nothing', async on_delete => {
    const { table, destination } = job({ key_columns: ['id'], on_delete })
    await runOf(destination, { whole: false }, [rowsOf(['{"id":1,"deleted":false}', '{"id":2}'])])
    await runOf(destination, { whole: false, runId: 'run_2', from: 2 }, [rowsOf(['{"id":3}', ['2', null]])])
    const left = (await held(table)).filter(row => (row.deleted_at ?? null) === null)
    expect(left.map(({ id }) => id)).toEqual([1, 3])
  })

  it('a row that is refused is not taken for deleted', async () => {
    const { table, destination } = job({ key_columns: ['id'], on_delete: 'hard' })
    await jobs.there.exec(`create table "${table}" (id integer primary key, n integer not null)`)
    await runOf(destination, {}, [rowsOf(['{"id":1,"n":1}', '{"id":2,"n":1}', '{"id":3,"n":1}', '{"id":4,"n":1}'])])
    const refused = await runOf(destination, { runId: 'run_2', from: 2 }, [
      // By the database, for its value, for its field; and one without a key.
      rowsOf(['{"id":1,"n":null}', '{"id":2,"n":"x"}', '{"id":3,"n":1,"":1}', '{"n":1}']),
    ])
    expect(refused).toHaveLength(4)
    expect(await idsOf(table)).toEqual([1, 2, 3])
  })

  it('a run of which rows were refused on the way deletes nothing, and says so', async () => {
    const { table, destination } = job({ key_columns: ['id'], on_delete: 'hard' })
    await runOf(destination, {}, [rowsOf(['{"id":1}', '{"id":2}'])])
    const logged: { level: string; message: string; metadata: object }[] = []
    const sink = await openSink(destination, { runId: 'run_2', logged })
    await writePage(sink, 2, rowsOf(['{"id":1}']))
    await sink.complete(1)
    await sink.stop()
    expect(await idsOf(table)).toEqual([1, 2])
    expect(logged).toMatchObject([{ level: 'warning', metadata: { refused: 1 } }])
  })

  it('what a run has brought is known over a restart, and what a cancelled one brought counts for nothing', async () => {
    const { table, destination } = job({ key_columns: ['id'], on_delete: 'hard' })
    await runOf(destination, {}, [rowsOf(['{"id":1}', '{"id":2}', '{"id":3}'])])
    const cancelled = await openSink(destination, { runId: 'run_2' })
    await writePage(cancelled, 2, rowsOf(['{"id":1}']))
    await cancelled.stop()
    const killed = await openSink(destination, { runId: 'run_3' })
    await writePage(killed, 3, rowsOf(['{"id":2}']))
    await killed.stop()
    const resumed = await openSink(destination, { runId: 'run_3' })
    await writePage(resumed, 3, rowsOf(['{"id":2}']))
    await writePage(resumed, 4, rowsOf(['{"id":4}']))
    await resumed.complete()
    await resumed.complete()
    await resumed.stop()
    expect(await idsOf(table)).toEqual([2, 4])
  })

  it('nothing is deleted when the keys of the run are not there', async () => {
    const { table, destination } = job({ key_columns: ['id'], on_delete: 'hard' })
    await runOf(destination, {}, [rowsOf(['{"id":1}', '{"id":2}'])])
    const logged: { level: string; message: string; metadata: object }[] = []
    const sink = await openSink(destination, { runId: 'run_2', logged, jobId: 'job_1' })
    await writePage(sink, 2, rowsOf(['{"id":1}']))
    await sink.stop()
    const other = await openSink({ ...destination, on_delete: 'ignore' }, { runId: 'run_2' })
    await writePage(other, 3, rowsOf(['{"id":3}']))
    await other.stop()
    const seen = (await jobs.there.tables()).find(name => name.startsWith('_superinsight_seen_'))
    await jobs.there.exec(`drop table "${seen}"`)
    const again = await openSink(destination, { runId: 'run_2', logged })
    await writePage(again, 4, [])
    await again.complete()
    await again.stop()
    expect(await idsOf(table)).toEqual([1, 2, 3])
    expect(logged).toMatchObject([
      { level: 'warning', message: expect.stringContaining('no row is taken for deleted') },
    ])
  })

  it('keys that become wider in the middle of a run are known all the same', async () => {
    for (const wider of ['"x"', '1.5', '12345678901234567890']) {
      const { table, destination } = job({ key_columns: ['id', 'b'], on_delete: 'hard' })
      await runOf(destination, {}, [rowsOf(['{"id":1,"b":true}', '{"id":2,"b":true}', '{"id":3,"b":false}'])])
      await runOf(destination, { runId: 'run_2', from: 2 }, [
        rowsOf(['{"id":1,"b":true}', '{"id":3,"b":false}']),
        rowsOf([`{"id":${wider},"b":"y"}`]),
      ])
      const left = (await held(table, 'id')).map(({ b }) => String(b))
      expect(left.toSorted()).toEqual(['false', 'true', 'y'])
    }
  })

  it('several key columns: a deleted row is known by its data', async () => {
    const { table, destination } = job({ key_columns: ['a', 'b'], on_delete: 'hard' })
    const rows = rowsOf(['{"a":1,"b":"x"}', '{"a":1,"b":"y"}', '{"a":2,"b":"x"}'])
    const deleted = { number: 4, id: 'whatever', op: 'delete', at: 1 } as const
    const refused = await runOf(destination, { whole: false }, [
      [...rows, { ...deleted, data: '{"b":"y","a":1}' }, { ...deleted, data: 'null' }],
    ])
    expect((await held(table, 'a, b')).map(({ a, b }) => [a, b])).toEqual([
      [1, 'x'],
      [2, 'x'],
    ])
    expect(refused).toMatchObject([{ code: 'MISSING_FIELD', field: 'a' }])
  })
}
