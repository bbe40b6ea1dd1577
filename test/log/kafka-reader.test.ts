import { randomBytes } from 'node:crypto'
import { CompressionTypes, Kafka, logLevel, type Producer } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import type { Log, StoredEvent, Stream } from '../../src/log/log.ts'
import { readAll, SPEC } from '../kit/events.ts'
import { openLogAt } from '../kit/logs.ts'
import { until } from '../kit/processes.ts'

const kafka = inject('kafka')

/** What producers that are not ours write. */
describe.skipIf(!kafka)('reading Kafka', () => {
  const client = new Kafka({ brokers: [kafka?.brokers ?? ''], logLevel: logLevel.NOTHING })
  let log: Log
  let stream: Stream
  let producer: Producer
  const text = ({ value }: StoredEvent) => value.toString()
  const messages = (value: string, count = 1) =>
    Array.from({ length: count }, () => ({ key: 'k', value, partition: 0 }))

  beforeAll(async () => {
    log = await openLogAt(`kafka:${kafka!.brokers},${kafka!.registryUrl}`)
    producer = client.producer({
      transactionalId: `t-${randomBytes(4).toString('hex')}`,
      maxInFlightRequests: 1,
      idempotent: true,
    })
    await producer.connect()
  })
  afterAll(async () => {
    await producer?.disconnect()
    await log?.stop()
  })

  async function newTopic(): Promise<string> {
    const topic = `t-${randomBytes(4).toString('hex')}`
    await log.declare([{ ...SPEC, name: topic, partitions: 1 }], {})
    stream = log.streams(topic)[0]!
    return topic
  }

  it('gets past aborted transactions, also where a page holds nothing else', async () => {
    const topic = await newTopic()
    const send = async (value: string, end: 'commit' | 'abort') => {
      const transaction = await producer.transaction()
      for (let n = 0; n < 3; n++) await transaction.send({ topic, messages: messages(value, 50) })
      await transaction[end]()
    }
    await send('void '.repeat(200), 'abort')
    await send('kept', 'commit')
    await send('void again', 'abort')
    const end = (await log.ends(topic)).get(stream.name)!
    const seen: string[] = []
    let pages = 0
    for (let after = -1; after < end && pages < 1000; pages++) {
      const page = await log.read(stream, after, { maxEvents: 7, maxBytes: 100, waitMs: 0 })
      seen.push(...page.events.map(text))
      after = page.through
    }
    expect(pages).toBeLessThan(1000)
    expect(seen).toEqual(Array(150).fill('kept'))
  })

  it('tells how far a stream is written, also of what nobody can read yet', async () => {
    const topic = await newTopic()
    const transaction = await producer.transaction()
    await transaction.send({ topic, messages: messages('pending', 3) })
    expect((await log.ends(topic)).get(stream.name)).toBe(-1)
    expect(await log.written(stream)).toBe(2)
    await transaction.commit()
    // Readers get there although the last place is taken by the mark of the transaction.
    const written = await until('the mark', async () => (await log.written(stream)) === 3 && 3)
    let through = -1
    while (through < written)
      ({ through } = await log.read(stream, through, { maxEvents: 9, maxBytes: 999, waitMs: 99 }))
  })

  it('unpacks what was packed, and passes over what has no key or value', async () => {
    const topic = await newTopic()
    const plain = client.producer()
    await plain.connect()
    await plain.send({
      topic,
      compression: CompressionTypes.GZIP,
      messages: [...messages('packed', 20), { key: null, value: 'x', partition: 0 }],
    })
    await plain.send({
      topic,
      messages: [
        { key: 'k', value: null, partition: 0 },
        { key: 'k', value: 'last', headers: { h: 'v' }, partition: 0 },
      ],
    })
    await plain.disconnect()
    expect((await readAll(log, stream)).map(text)).toEqual([...Array(20).fill('packed'), 'last'])
  })

  it('goes on at the first event that retention has left, and says when it is past the end', async () => {
    const topic = await newTopic()
    const plain = client.producer()
    await plain.connect()
    await plain.send({ topic, messages: messages('old', 5) })
    await plain.send({ topic, messages: messages('new', 2) })
    await plain.disconnect()
    const admin = client.admin()
    await admin.connect()
    await admin.fetchTopicOffsets(topic)
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '5' }] })
    await admin.disconnect()
    expect((await readAll(log, stream)).map(text)).toEqual(['new', 'new'])
    const beyond = log.read(stream, 100, { maxEvents: 1, maxBytes: 1, waitMs: 0 })
    await expect(beyond).rejects.toThrow(`${stream.name} was read up to 100 before, and does not reach so far any more`)
  })

  it('ends a wait when its signal aborts', async () => {
    await newTopic()
    const stopping = new AbortController()
    const waiting = log.read(stream, -1, { maxEvents: 1, maxBytes: 1, waitMs: 1000, signal: stopping.signal })
    stopping.abort()
    expect(await waiting).toEqual({ events: [], through: -1 })
  })
})
