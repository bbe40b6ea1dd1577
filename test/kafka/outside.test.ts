import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { available } from '../kit/faults.ts'
import { jars } from '../kit/jars.ts'
import { run } from '../kit/processes.ts'
import { type Service, startService } from '../kit/service.ts'

const CONSUMER = fileURLToPath(new URL('../kit/OutsideConsumer.java', import.meta.url))
const kafka = inject('kafka')
const withJava = kafka ? available('reading what was written with a Java consumer', missingJava()) : false

/** With Kafka in a container the tests need no Java but for this. */
function missingJava(): string | undefined {
  try {
    jars()
    return undefined
  } catch (error) {
    return `It needs Java 17 and Maven: ${(error as Error).message}`
  }
}

describe.skipIf(!kafka)('a service on Kafka', () => {
  let service: Service
  const dataset = `outside-${Date.now()}`

  beforeAll(async () => {
    service = await startService({ KAFKA_BROKERS: kafka!.brokers, SCHEMA_REGISTRY_URL: kafka!.registryUrl })
  })
  afterAll(async () => {
    await service.stop()
  })

  it.skipIf(!withJava)('writes events that a Java consumer with Avro and the registry reads, to the byte', async () => {
    // As text: JavaScript would round the number on its way out.
    const records = [
      '{"id":"a","data":{"n":12345678901234567890123,"x":1.0,"name":"Zoë 你好"}}',
      '{"id":"b","data":{ "spaced" : [1, 2] }}',
      '{"id":"a","op":"delete"}',
    ]
    const answer = await fetch(`${service.url}/push/stream?dataset=${dataset}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${service.token}`, 'content-type': 'application/x-ndjson' },
      body: records.join('\n'),
    })
    expect(answer.status).toBe(200)
    const consumer = run('java', [
      ...['-Dfile.encoding=UTF-8', '-Dstdout.encoding=UTF-8', '-Dorg.slf4j.simpleLogger.defaultLogLevel=off'],
      ...['-cp', jars().kafkaClassPath, CONSUMER, kafka!.brokers, kafka!.registryUrl, 'sync.records', dataset, '3'],
    ])
    const code = await new Promise(resolve => consumer.child.on('close', resolve))
    expect(code, consumer.output()).toBe(0)
    const lines = consumer
      .output()
      .split('\n')
      .filter(line => line.startsWith(dataset))
      .sort()
    expect(lines).toEqual([
      `${dataset}|a\ta\tdelete\tnull`,
      `${dataset}|a\ta\tupsert\t{"n":12345678901234567890123,"x":1.0,"name":"Zoë 你好"}`,
      `${dataset}|b\tb\tupsert\t{ "spaced" : [1, 2] }`,
    ])
  })

  it('shows the same records, and a receipt that can be waited on and continued from', async () => {
    const pushed = await service.post('/push/batch', { source: `${dataset}-2`, records: [{ id: '1', data: { v: 1 } }] })
    const { position } = (await pushed.json()) as { position: string }
    const read = await service.get(`/datasets/${dataset}-2/records?min_position=${position}`)
    expect(await read.json()).toMatchObject({ items: [{ id: '1', data: { v: 1 }, version: 1 }] })
  })

  it('finds itself again after a restart on the same topics', async () => {
    const { dataDir } = service
    await service.stop()
    service = await startService(
      { KAFKA_BROKERS: kafka!.brokers, SCHEMA_REGISTRY_URL: kafka!.registryUrl },
      { dataDir },
    )
    const read = await service.get(`/datasets/${dataset}-2/records`)
    expect(await read.json()).toMatchObject({ items: [{ id: '1', version: 1 }] })
  })
})
