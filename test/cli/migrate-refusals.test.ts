import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { partitionOf } from '../../src/kernel/hash.ts'
import { readTopic } from '../kit/events.ts'
import { type Broker, startBroker } from '../kit/kafka.ts'
import { openLogOf } from '../kit/life.ts'
import { emptyKafka, migrate, topicsOf } from '../kit/migrate.ts'
import { copyOfLog, emptyDir, makeLog, removeLogs } from '../kit/migrate-log.ts'
import { startService } from '../kit/service.ts'

const kafka = inject('kafka')
let broker: Broker
let env: Record<string, string>
/** The DATA_DIR of a service with a log in it. */
let original: string

beforeAll(async () => {
  if (!kafka) return
  broker = await startBroker()
  env = { KAFKA_BROKERS: broker.brokers, SCHEMA_REGISTRY_URL: kafka.registryUrl }
  original = await makeLog()
})
afterAll(async () => {
  await broker?.stop()
  removeLogs()
})
beforeEach(async () => {
  if (kafka) await emptyKafka(broker.brokers)
})

/** Sends one message as anybody might who knows the topic. */
async function produce(topic: string, partition: number, headers: Record<string, string> = {}): Promise<void> {
  const client = new Kafka({ brokers: [broker.brokers], logLevel: logLevel.NOTHING })
  const producer = client.producer()
  await producer.connect()
  await producer.send({ topic, messages: [{ key: 'k', value: 'v', partition, headers }] })
  await producer.disconnect()
}

describe.skipIf(!kafka)('migrate', () => {
  it('refuses a Kafka with events that are not of this log, and writes nothing', async () => {
    const client = new Kafka({ brokers: [broker.brokers], logLevel: logLevel.NOTHING })
    const admin = client.admin()
    await admin.connect()
    await admin.createTopics({ topics: [{ topic: 'sync.rejected', numPartitions: 3 }] })
    await produce('sync.rejected', 2)
    const refused = await migrate(original, env)
    expect(refused.code).toBe(2)
    expect(refused.stderr).toMatch(/sync\.rejected-2 holds events that are not of log \w+, the last at offset 0/)
    expect(await topicsOf(broker.brokers)).toEqual(['sync.rejected'])
    await admin.disconnect()
  })

  it('refuses a Kafka that has a copy of another log', async () => {
    expect((await migrate(original, env)).code).toBe(0)
    const other = copyOfLog(original, db => db.exec("update meta set value = 'deadbeef' where name = 'id'"))
    const refused = await migrate(other, env)
    expect(refused.code).toBe(2)
    expect(refused.stderr).toMatch(/this Kafka has a copy of log \w+, and DATA_DIR has log deadbeef/)
  })

  it.each([
    ['a flipped byte', (bytes: Uint8Array) => (bytes[bytes.length >> 1]! ^= 1)],
    ['a flipped byte in a length', (bytes: Uint8Array) => (bytes[0]! ^= 1)],
  ])('refuses a log with %s, naming the place, and writes nothing', async (_name, damage) => {
    const dataDir = copyOfLog(original, db => {
      const row = db.prepare('select last, bytes from batches order by last limit 1 offset 3').get()!
      const bytes = row.bytes as Uint8Array
      damage(bytes)
      db.prepare('update batches set bytes = ? where last = ?').run(bytes, row.last!)
    })
    const refused = await migrate(dataDir, env)
    expect(refused.code).toBe(2)
    expect(refused.stderr).toMatch(
      /log\.db is damaged and is not copied: sync\.\w+, events \d+ to \d+: the checksum is/,
    )
    expect(await topicsOf(broker.brokers)).toEqual([])
  })

  it('names topic, partition and offset where Kafka is not what the log is, and no service starts then', async () => {
    const log = await openLogOf({ dataDir: original })
    const first = (await readTopic(log, 'sync.records')).find(({ key }) => partitionOf(key, 6) === 4)!
    const { id } = log
    await log.stop()
    expect((await migrate(original, { ...env, CRASH_AT: 'migrate.marked:1' })).code).toBe(null)
    await produce('sync.records', 4, { origin: `${id}~log.${first.offset.toString(36)}` })
    const wrong = await migrate(original, env)
    expect(wrong.code).toBe(1)
    expect(wrong.stderr).toContain(
      `sync.records-4, offset 0: the key differs from that of event ${first.offset} of the log`,
    )
    expect(wrong.stdout).toMatch(/^sync\.records .* DIFFERS$/m)
    await expect(startService(env)).rejects.toThrow('run "superinsight-sync migrate" again')

    await produce('sync.records', 4, { origin: `${id}~log.${first.offset.toString(36)}` })
    const twice = await migrate(original, env)
    expect(twice.code).toBe(2)
    expect(twice.stderr).toMatch(/sync\.records-\d has \d+ events up to event \d+ of the log, which has \d+ there/)
  })

  it('says what is missing: a log, a Kafka, its registry', async () => {
    const empty = emptyDir()
    const said = async (dataDir: string, with_: Record<string, string>) => {
      const { code, stderr } = await migrate(dataDir, with_)
      return [code, stderr]
    }
    expect(await said(empty, env)).toEqual([2, expect.stringContaining('there is no log.db to copy')])
    expect(await said(original, {})).toEqual([2, expect.stringContaining('set KAFKA_BROKERS and SCHEMA_REGISTRY_URL')])
    const noRegistry = { ...env, SCHEMA_REGISTRY_URL: 'http://someone:s3cret@127.0.0.1:9' }
    // It may be there later.
    expect(await said(original, noRegistry)).toEqual([
      1,
      expect.stringContaining('SCHEMA_REGISTRY_URL=http://***@127.0.0.1:9'),
    ])
    expect(await topicsOf(broker.brokers)).toEqual([])
  })
})
