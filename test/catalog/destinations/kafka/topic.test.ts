import { randomBytes } from 'node:crypto'
import { describe, expect, inject, it } from 'vitest'
import { SourceBusy } from '../../../../src/catalog/connectors/connector.ts'
import { startBroker } from '../../../kit/kafka.ts'
import { until } from '../../../kit/processes.ts'
import { property } from '../../../kit/random.ts'
import { type Opening, openSink, rowsOf, writePage } from '../../../kit/sinks.ts'
import { outsider } from '../../../kit/topics.ts'

const kafka = inject('kafka')

describe.skipIf(!kafka)('a topic', () => {
  const outside = outsider(kafka?.brokers ?? '')
  const brokers = [kafka?.brokers ?? '']
  const setup = (more: object = {}) => {
    const name = randomBytes(6).toString('hex')
    const destination = { type: 'kafka', topic: `t-${name}`, ...more }
    const open = (opening: Opening = {}) => openSink(destination, { brokers, jobId: `job_${name}`, ...opening })
    return { topic: destination.topic, jobId: `job_${name}`, open }
  }
  const failure = (work: Promise<unknown>) =>
    work.then(
      () => undefined,
      error => error,
    )

  it('is made, and has a message a row: key, value, header, time; none for a value that is deleted', async () => {
    const { topic, jobId, open } = setup()
    const sink = await open()
    expect(sink.checkpoint).toBeUndefined()
    await writePage(
      sink,
      1,
      rowsOf(['{"id":1,"n":1.0,"big":9007199254740993}', '{"id":"é"}', ['1', null]], 1_700_000_000_123),
    )
    await writePage(sink, 2, [])
    expect(sink.checkpoint).toEqual({ runId: 'run_1', number: 2 })
    await sink.complete()
    await sink.complete()
    await sink.stop()
    const headers = { 'superinsight-job': jobId }
    const timestamp = 1_700_000_000_123
    const seen = (await outside.messagesOf(topic)).map(({ partition, ...message }) => message)
    expect(seen).toHaveLength(3)
    expect(seen).toEqual(
      expect.arrayContaining([
        { key: '1', value: '{"id":1,"n":1.0,"big":9007199254740993}', headers, timestamp },
        { key: 'é', value: '{"id":"é"}', headers, timestamp },
        { key: '1', value: null, headers, timestamp },
      ]),
    )
  })

  it('keeps the order of a key over pages, and the same key in the same partition', async () => {
    const { topic, open } = setup({ key: '/k' })
    await outside.createTopic(topic, 3)
    const sink = await open()
    for (let page = 0; page < 4; page++)
      await writePage(
        sink,
        page + 1,
        rowsOf(Array.from({ length: 50 }, (_, i) => `{"k":"k${i % 7}","n":${page * 50 + i}}`)),
      )
    await sink.stop()
    const seen = await outside.messagesOf(topic)
    expect(seen).toHaveLength(200)
    for (const of of Map.groupBy(seen, ({ key }) => key).values()) {
      const numbers = of.map(({ value }) => JSON.parse(value!).n)
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
      expect(new Set(of.map(({ partition }) => partition)).size).toBe(1)
    }
  })

  it('has each page once, whatever comes again', async () => {
    const { topic, open } = setup()
    const first = await open()
    await writePage(first, 1, rowsOf(['{"id":1}']))
    await writePage(first, 1, rowsOf(['{"id":1}']))
    await first.stop()
    const again = await open({ runId: 'run_2' })
    expect(again.checkpoint).toEqual({ runId: 'run_1', number: 1 })
    await expect(again.complete()).rejects.toMatchObject({ code: 'CONFLICT' })
    await writePage(again, 1, rowsOf(['{"id":1}']))
    await again.write({ number: 3, first: 2, rows: rowsOf(['{"id":2}', '{"id":3}']) }, async () => undefined)
    const overlapping = again.write(
      { number: 4, first: 3, rows: rowsOf(['{"id":3}', '{"id":4}']) },
      async () => undefined,
    )
    expect(await failure(overlapping)).toMatchObject({ code: 'CONFLICT' })
    await again.complete()
    await again.stop()
    expect((await outside.messagesOf(topic)).map(({ key }) => key)).toEqual(['1', '2', '3'])
  })

  it('shuts out who had it before, for good', async () => {
    const { topic, open } = setup()
    const zombie = await open()
    await writePage(zombie, 1, rowsOf(['{"id":1}']))
    const next = await open()
    expect(await failure(writePage(zombie, 2, rowsOf(['{"id":"zombie"}'])))).toMatchObject({ code: 'CONFLICT' })
    await writePage(next, 2, rowsOf(['{"id":2}']))
    expect(await failure(writePage(zombie, 3, rowsOf(['{"id":"zombie"}'])))).toMatchObject({ code: 'CONFLICT' })
    await writePage(next, 3, rowsOf(['{"id":3}']))
    await Promise.all([zombie.stop(), next.stop()])
    expect((await outside.messagesOf(topic)).map(({ key }) => key)).toEqual(['1', '2', '3'])
  })

  it('has nothing of a transaction that was left open', async () => {
    const { topic, jobId, open } = setup()
    const begun = await open()
    await writePage(begun, 1, rowsOf(['{"id":1}']))
    await begun.stop()
    // As a runner leaves it that is killed before it commits.
    const killed = outside.kafka.producer({
      transactionalId: `superinsight-sink-${jobId}`,
      idempotent: true,
      maxInFlightRequests: 1,
    })
    await killed.connect()
    const transaction = await killed.transaction()
    await transaction.send({ topic, messages: [{ key: 'lost', value: '{}' }] })
    const offset = { partition: 0, offset: '2' }
    await transaction.sendOffsets({
      consumerGroupId: `superinsight-sink-${jobId}`,
      topics: [{ topic, partitions: [offset] }],
    })
    await killed.disconnect()
    const resumed = await open()
    expect(resumed.checkpoint).toEqual({ runId: 'run_1', number: 1 })
    await writePage(resumed, 2, rowsOf(['{"id":2}']))
    await resumed.stop()
    expect((await outside.messagesOf(topic)).map(({ key }) => key)).toEqual(['1', '2'])
  })

  it('has nothing of a page that ends between the refusals and the commit', async () => {
    const { topic, open } = setup({ key: 'k' })
    const stopping = new AbortController()
    const killed = await open({ signal: stopping.signal })
    const page = { number: 1, rows: rowsOf(['{"id":1}', '{"k":2}']) }
    const writing = killed.write(page, async () => stopping.abort(new Error('stopped')))
    await expect(writing).rejects.toThrow('stopped')
    await killed.stop()
    const resumed = await open()
    expect(resumed.checkpoint).toBeUndefined()
    expect(await writePage(resumed, 1, page.rows)).toMatchObject([{ code: 'MISSING_FIELD', field: 'k' }])
    await resumed.stop()
    expect((await outside.messagesOf(topic)).map(({ key }) => key)).toEqual(['2'])
  })

  it('takes messages up to its own limit, in as many batches as they need', async () => {
    const { topic, open } = setup()
    await outside.createTopic(topic, 1, { 'max.message.bytes': '20000' })
    const sink = await open()
    const row = (id: number, length: number) => `{"id":${id},"v":"${'x'.repeat(length)}"}`
    const refused = await writePage(
      sink,
      1,
      rowsOf([row(1, 15_000), row(2, 19_900), ...Array.from({ length: 30 }, (_, i) => row(i + 3, 5000))]),
    )
    expect(refused.map(({ row: { id }, code }) => [id, code])).toEqual([['2', 'TOO_LONG']])
    await sink.stop()
    expect(await outside.messagesOf(topic)).toHaveLength(31)
  })

  it('has every page once, in order, after any crashes', async () => {
    await property(3, async random => {
      const { topic, open } = setup()
      await outside.createTopic(topic, 1)
      let sink = await open()
      let next = 1
      const sent: string[] = []
      for (let turn = 0; turn < 25; turn++) {
        const number = random.chance(0.2) ? Math.max(1, next - 1) : next
        const ids = Array.from({ length: 3 }, (_, i) => `${number}-${i}`)
        await writePage(sink, number, rowsOf(ids.map(id => `{"id":"${id}"}`)))
        if (number === next) {
          sent.push(...ids)
          next++
        }
        if (random.chance(0.2)) {
          if (random.chance(0.5)) await sink.stop()
          sink = await open()
          expect(sink.checkpoint?.number).toBe(next - 1)
        }
      }
      await sink.stop()
      expect((await outside.messagesOf(topic)).map(({ key }) => key)).toEqual(sent)
    })
  })

  it('of a broker that is killed in the middle is busy, and has each page once when it is back', async () => {
    const own = await startBroker()
    try {
      const [topic, opening] = ['t', { brokers: [own.brokers], answerMs: 2000 }]
      const sink = await openSink({ type: 'kafka', topic }, opening)
      await writePage(sink, 1, rowsOf(['{"id":1}']))
      await own.stop()
      expect(await failure(writePage(sink, 2, rowsOf(['{"id":2}'])))).toBeInstanceOf(SourceBusy)
      await own.start()
      for (let number = 2; number <= 4; number++) {
        await until(`page ${number}`, async () => {
          const error = await failure(writePage(sink, number, rowsOf([`{"id":${number}}`])))
          if (error !== undefined) expect(error).toBeInstanceOf(SourceBusy)
          return error === undefined
        })
      }
      await sink.stop()
      expect((await outsider(own.brokers).messagesOf(topic)).map(({ key }) => key)).toEqual(['1', '2', '3', '4'])
    } finally {
      await own.stop()
    }
  })

  it('of brokers that do not answer is busy', async () => {
    const { open } = setup()
    expect(await failure(open({ brokers: ['127.0.0.1:1'], answerMs: 500 }))).toBeInstanceOf(SourceBusy)
  })
})
