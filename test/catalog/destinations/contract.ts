import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openSink, rowsOf, type SinkDatabase, writePage } from '../../kit/sinks.ts'

export function sinkContract(open: () => Promise<SinkDatabase>): void {
  let there: SinkDatabase
  let tables = 0
  beforeAll(async () => {
    there = await open()
  })
  afterAll(() => there.end())

  const job = (more: object = {}) => {
    const table = `t${++tables}`
    return { table, destination: { type: 'database', url: there.url, table, ...more } }
  }
  const held = async (table: string, order = 'id') =>
    (await there.rows(`select * from "${table}" order by ${order}`)).map(row => JSON.parse(row))

  it('append: a table with the columns of the rows, in their order', async () => {
    const { table, destination } = job()
    const sink = await openSink(destination)
    expect(sink.checkpoint).toBeUndefined()
    await writePage(sink, 1, rowsOf(['{"name":"A","id":1,"ok":true,"at":"2024-01-01"}', '{"id":2,"price":1.5,"tags":["x"]}']))
    expect((await there.columns(table)).map(({ name }) => name)).toEqual(['name', 'id', 'ok', 'at', 'price', 'tags'])
    expect(await held(table)).toEqual([
      { name: 'A', id: 1, ok: true, at: '2024-01-01', price: null, tags: null },
      { name: null, id: 2, ok: null, at: null, price: 1.5, tags: ['x'] },
    ])
    expect(sink.checkpoint).toEqual({ runId: 'run_1', number: 1 })
    await sink.stop()
  })
  it('upsert', async () => {
    const { table, destination } = job({ key_columns: ['id'] })
    const sink = await openSink(destination)
    await writePage(sink, 1, rowsOf(['{"id":1,"a":1}', '{"id":2,"a":"x"}', '{"id":1,"a":3}']))
    await writePage(sink, 2, rowsOf(['{"id":3,"b":12345678901234567890.5}', '{"id":2,"a":"y"}']))
    await writePage(sink, 2, rowsOf(['{"id":3,"b":2}', '{"id":2,"a":"z"}']))
    expect(await there.rows(`select * from "${table}" order by id`)).toEqual([])
    await sink.stop()
  })
  it('scd2', async () => {
    const { table, destination } = job({ key_columns: ['id'], mode: 'scd2', on_delete: 'hard' })
    const sink = await openSink(destination)
    await writePage(sink, 1, rowsOf(['{"id":1,"a":1}', '{"id":2,"a":"x"}', '{"id":1,"a":3}']))
    await writePage(sink, 2, rowsOf(['{"id":1,"a":3}', ['2', null]], 2000))
    await writePage(sink, 3, rowsOf(['{"id":1,"a":4, "b":true}', '{"id":2,"a":"x"}'], 3000))
    await sink.complete()
    expect(await there.rows(`select * from "${table}" order by id, valid_from, valid_to`)).toEqual([])
    await sink.stop()
  })
  it('replace', async () => {
    const { table, destination } = job({ mode: 'replace' })
    const sink = await openSink(destination)
    await writePage(sink, 1, rowsOf(['{"id":1,"a":1}', '{"id":2,"a":"x"}', '{"id":1,"a":3}']))
    await sink.complete()
    await sink.stop()
    const sink2 = await openSink(destination, {runId: 'run_2'})
    await writePage(sink2, 2, rowsOf(['{"id":1,"b":1}']))
    await sink2.complete()
    await sink2.complete()
    expect(await there.rows(`select * from "${table}" order by id`)).toEqual([])
    await sink2.stop()
  })
}
