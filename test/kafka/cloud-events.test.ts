import { Kafka as Binding, type CloudEvent, type KafkaMessage } from 'cloudevents'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { readTopics } from '../../src/adapters.ts'
import { schemas, topicOf } from '../../src/events/index.ts'
import { createEventHeaders, encodeHeaders } from '../../src/log/cloud-events.ts'
import { createCodec } from '../../src/log/codec.ts'
import type { Log } from '../../src/log/log.ts'
import { call, pushLines } from '../kit/api.ts'
import { batchesOf, type EventName, everyEvent } from '../kit/every-event.ts'
import { randomFor } from '../kit/faults.ts'
import { type Broker, startBroker } from '../kit/kafka.ts'
import { openLogAt } from '../kit/logs.ts'
import { migrate } from '../kit/migrate.ts'
import { makeLog, RECORDS, removeLogs } from '../kit/migrate-log.ts'
import { removeData, startService, untilProjected } from '../kit/service.ts'
import { outsider, type RawMessage } from '../kit/topics.ts'

const kafka = inject('kafka')

/** As the CloudEvents SDK reads it; throws what it finds wrong. */
function read({ headers, value, key }: RawMessage): CloudEvent<Buffer> {
  const message = { headers, key, value, body: value, timestamp: '' } as unknown as KafkaMessage<Buffer>
  const event = Binding.toEvent<Buffer>(message) as CloudEvent<Buffer>
  event.validate()
  return event
}

describe.skipIf(!kafka)('messages on Kafka as CloudEvents', () => {
  let broker: Broker
  let log: Log
  const opened: Log[] = []
  const open = async () => {
    const each = await openLogAt(`kafka:${broker.brokers},${kafka!.registryUrl}`)
    opened.push(each)
    await each.declare(readTopics(), schemas)
    return each
  }
  /** Every message of every topic, with the event that its value is. */
  async function all() {
    const found: { topic: string; message: RawMessage; type: string }[] = []
    const codec = createCodec(log)
    for (const { name: topic } of readTopics()) {
      for (const message of await outsider(broker.brokers).rawMessagesOf(topic)) {
        await codec.prepare([{ offset: 0, time: 0, key: Buffer.alloc(0), value: message.value! }])
        found.push({ topic, message, type: codec.decode(message.value!).type })
      }
    }
    return found
  }
  /** Holds each against what its value is, and gives back the ids. */
  function check(found: Awaited<ReturnType<typeof all>>): string[] {
    return found.map(({ message, type }) => {
      const { id, source, specversion, type: told, datacontenttype, data } = read(message)
      expect({ source, specversion, told, datacontenttype }).toEqual({
        source: `/sync/${log.id}`,
        specversion: '1.0',
        told: `superinsight.sync.${type}`,
        datacontenttype: 'application/avro',
      })
      expect(Buffer.from(data!).equals(message.value!)).toBe(true)
      return id
    })
  }

  beforeAll(async () => {
    broker = await startBroker()
  })
  afterAll(async () => {
    for (const each of opened) await each.stop()
    removeLogs()
    await broker?.stop()
  })

  it('are so when they were copied from an embedded log, the same each time', async () => {
    const dataDir = await makeLog()
    const env = { KAFKA_BROKERS: broker.brokers, SCHEMA_REGISTRY_URL: kafka!.registryUrl }
    expect((await migrate(dataDir, env)).code).toBe(0)
    log = await open()
    const found = await all()
    expect(found.filter(({ topic }) => topic === 'sync.records')).toHaveLength(RECORDS)
    const ids = check(found)
    expect(new Set(ids).size).toBe(ids.length)
    const copied = found.filter(({ topic }) => topic !== 'sync.origins')
    for (const { message } of copied) expect(read(message).id).toBe(message.headers.origin)
  })

  it('are so whatever a service writes, in transactions and without', async () => {
    const env = { KAFKA_BROKERS: broker.brokers, SCHEMA_REGISTRY_URL: kafka!.registryUrl }
    const before = (await all()).length
    const service = await startService(env)
    const { body } = await pushLines(service, 'dataset=routed', '{"id":"a","data":{}}\nnot json\n')
    await untilProjected(service, body.position)
    await call(service, '/datasets/routed', { method: 'PUT', body: { category: 'x' } })
    await service.stop()
    removeData(service)
    const found = await all()
    const ids = check(found)
    expect(new Set(ids).size).toBe(ids.length)
    expect(found.length).toBeGreaterThan(before)
    const topics = new Set(found.map(({ topic }) => topic))
    for (const topic of [
      'sync.records',
      'sync.changes',
      'sync.rejected',
      'sync.commands',
      'sync.outcomes',
      'sync.datasets',
    ])
      expect(topics).toContain(topic)
  })

  it('are so for every type in every topic, with ids of their own, whoever writes them', async () => {
    const random = randomFor('cloud events')
    const writers = [log, await open(), await open()]
    for (const writer of writers) {
      const codec = createCodec(writer)
      await Promise.all([0, 1].map(() => writer.append(batchesOf(codec, everyEvent(random, 3)))))
    }
    const [stream] = log.streams('sync.commands')
    await log.own('routing', stream!)
    await log.append(batchesOf(createCodec(log), everyEvent(random, 3)), {
      consumed: { group: 'routing', stream: stream!, offset: 0 },
    })
    const found = await all()
    const ids = check(found)
    expect(new Set(ids).size).toBe(ids.length)
    for (const type of Object.keys(schemas) as EventName[]) {
      const topics = new Set(found.filter(each => each.type === type).map(({ topic }) => topic))
      expect([type, [...topics]]).toEqual([type, [topicOf[type]]])
    }
  })
})

describe('the headers of events', () => {
  const idOf = (headers: Buffer) => headers.subarray(-20).toString()

  it('are counted and sized as a record has them', () => {
    expect(encodeHeaders({})).toEqual(Buffer.from([0]))
    expect(encodeHeaders({ a: 'xy' })).toEqual(Buffer.from([2, 2, 97, 4, 120, 121]))
    const long = encodeHeaders({ a: 'x'.repeat(100) })
    expect([...long.subarray(3, 5), long.length]).toEqual([0xc8, 1, 105])
  })

  it('have another id each time, also where digits carry, and for each type', () => {
    const headers = createEventHeaders('log', [
      ['RecordPushed', 1],
      ['RecordChanged', 2],
    ])
    const ids = Array.from({ length: 20_000 }, (_, n) => idOf(headers.next(1 + (n % 2))!))
    expect(new Set(ids).size).toBe(ids.length)
    expect(new Set(ids.map(id => id.slice(0, 12))).size).toBe(1)
    expect(idOf(createEventHeaders('log', [['RecordPushed', 1]]).next(1)!).slice(0, 12)).not.toBe(ids[0]!.slice(0, 12))
    expect(headers.next(3)).toBe(undefined)
  })
})
