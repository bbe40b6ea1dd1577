import { expect, it } from 'vitest'
import { openSink, rowsOf, type SinkJobs, writePage } from '../../../kit/sinks.ts'

const MODES = ['append', 'insert_only', 'upsert', 'replace', 'scd2'] as const

/** What happens when a page comes again, or a run's end, or somebody else writes too. */
export function redeliveryContract(jobs: SinkJobs): void {
  const { job, held } = jobs
  const keyed = (mode: string) => ({ mode, ...(mode === 'append' ? {} : { key_columns: ['id'] }) })

  it.each(MODES)('%s: a page that is in is passed over, whatever comes with its number', async mode => {
    const { table, destination } = job(keyed(mode))
    const first = await openSink(destination)
    await writePage(first, 1, rowsOf(['{"id":1,"a":1}', '{"id":2,"a":1}'], 1000))
    await writePage(first, 2, rowsOf(['{"id":1,"a":2}'], 2000))
    await writePage(first, 2, rowsOf(['{"id":1,"a":2}'], 2000))
    await first.stop()
    const again = await openSink(destination)
    expect(again.checkpoint).toEqual({ runId: 'run_1', number: 2 })
    expect(await writePage(again, 1, rowsOf(['{"id":9,"a":9}', '{"a":1}']))).toEqual([])
    await writePage(again, 3, rowsOf(['{"id":3,"a":3}'], 3000))
    expect(again.checkpoint).toEqual({ runId: 'run_1', number: 3 })
    await again.complete()
    await again.stop()
    const rows = (await held(table, 'id, a')).map(({ id, a }) => [id, a])
    const all = [
      [1, 1],
      [1, 2],
      [2, 1],
      [3, 3],
    ]
    const expected = {
      ...{
        append: all,
        scd2: all,
        insert_only: [
          [1, 1],
          [2, 1],
          [3, 3],
        ],
      },
      ...{
        upsert: [
          [1, 2],
          [2, 1],
          [3, 3],
        ],
        replace: [
          [1, 2],
          [2, 1],
          [3, 3],
        ],
      },
    }
    expect(rows).toEqual(expected[mode])
  })

  it.each(MODES)('%s: nothing of a page is in when it ends between the refusals and the commit', async mode => {
    const { table, destination } = job(keyed(mode))
    const begun = await openSink(destination)
    await writePage(begun, 1, rowsOf(['{"id":1,"a":1}'], 1000))
    await begun.stop()
    const stopping = new AbortController()
    const killed = await openSink(destination, { signal: stopping.signal })
    const page = { number: 2, rows: rowsOf(['{"id":2,"a":"x","b":1}', '{"id":3,"b":{}}', '{"c":"\\ud800"}'], 2000) }
    let told = 0
    const writing = killed.write(page, async refused => {
      told += refused.length
      stopping.abort(new Error('stopped'))
    })
    await expect(writing).rejects.toThrow('stopped')
    expect(told).toBe(1)
    expect(killed.checkpoint).toEqual({ runId: 'run_1', number: 1 })
    await killed.stop()
    const resumed = await openSink(destination)
    expect(resumed.checkpoint).toEqual({ runId: 'run_1', number: 1 })
    expect(await writePage(resumed, page.number, page.rows)).toHaveLength(1)
    await resumed.complete()
    await resumed.stop()
    expect((await held(table)).map(({ id, a, b }) => [id, a, b])).toEqual([
      [1, '1', null],
      [2, 'x', '1'],
      [3, null, '{}'],
    ])
  })

  it('a refusal that cannot be told of takes the page with it', async () => {
    const { table, destination } = job({ key_columns: ['id'] })
    const sink = await openSink(destination)
    const page = { number: 1, rows: rowsOf(['{"id":1}', '{"n":1}']) }
    const failing = sink.write(page, async () => {
      throw new Error('the log is not there')
    })
    await expect(failing).rejects.toThrow('the log is not there')
    expect(await jobs.there.columns(table)).toEqual([])
    expect(await writePage(sink, 1, page.rows)).toHaveLength(1)
    expect(await held(table)).toEqual([{ id: 1 }])
    await sink.stop()
  })

  it.each(MODES)('%s: two that write the same pages have each page in once', async mode => {
    const { table, destination } = job(keyed(mode))
    const sinks = await Promise.all([openSink(destination), openSink(destination)])
    const pages = Array.from({ length: 12 }, (_, n) =>
      rowsOf([`{"id":${n},"a":${n}}`, `{"id":${n + 100},"a":"${n}"}`], 1000 + n),
    )
    const writeAll = async (sink: (typeof sinks)[number]) => {
      for (const [n, rows] of pages.entries()) await writePage(sink, n + 1, rows)
    }
    await Promise.all(sinks.map(writeAll))
    await Promise.all(sinks.map(sink => sink.complete()))
    await Promise.all(sinks.map(sink => sink.stop()))
    expect((await held(table)).map(({ id }) => id)).toEqual([...pages.keys(), ...[...pages.keys()].map(n => n + 100)])
  })

  it('several pages at once are in all or none; when some are in already it is a conflict', async () => {
    const { table, destination } = job()
    const sink = await openSink(destination)
    const none = async () => undefined
    await sink.write({ number: 3, first: 1, rows: rowsOf(['{"id":1}', '{"id":2}', '{"id":3}']) }, none)
    await sink.write({ number: 3, first: 2, rows: rowsOf(['{"id":2}']) }, none)
    const overlapping = sink.write({ number: 4, first: 3, rows: rowsOf(['{"id":3}', '{"id":4}']) }, none)
    await expect(overlapping).rejects.toMatchObject({ code: 'CONFLICT' })
    await sink.write({ number: 5, first: 4, rows: rowsOf(['{"id":4}', '{"id":5}']) }, none)
    expect((await held(table)).map(({ id }) => id)).toEqual([1, 2, 3, 4, 5])
    await sink.stop()
  })

  it('a run can only be completed while it is the last that has written', async () => {
    const { destination } = job({ mode: 'replace' })
    const old = await openSink(destination)
    await expect(old.complete()).rejects.toMatchObject({ code: 'CONFLICT' })
    await writePage(old, 1, rowsOf(['{"id":1}']))
    const next = await openSink(destination, { runId: 'run_2' })
    await writePage(next, 2, rowsOf(['{"id":2}']))
    await expect(old.complete()).rejects.toMatchObject({ code: 'CONFLICT' })
    await next.complete()
    await old.stop()
    await next.stop()
  })

  it('knows nothing of a job that wrote elsewhere before', async () => {
    const [one, other] = [job(), job()]
    const sink = await openSink(one.destination, { jobId: 'job_moved' })
    await writePage(sink, 7, rowsOf(['{"id":1}']))
    await sink.stop()
    const moved = await openSink(other.destination, { jobId: 'job_moved' })
    expect(moved.checkpoint).toBeUndefined()
    await writePage(moved, 7, rowsOf(['{"id":1}']))
    expect(moved.checkpoint).toEqual({ runId: 'run_1', number: 7 })
    await moved.stop()
    expect(await held(other.table)).toEqual([{ id: 1 }])
  })
}
