import avro from 'avsc'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { readTopics } from '../../src/adapters.ts'
import { type RecordRejected, schemas } from '../../src/events/index.ts'
import { batchWriter } from '../../src/log/batch.ts'
import { createCodec } from '../../src/log/codec.ts'
import { openEmbeddedLog } from '../../src/log/embedded.ts'
import { pushBatch } from '../kit/api.ts'
import { readTopic } from '../kit/events.ts'
import { between, LONG, randomFor } from '../kit/faults.ts'
import { type Broker, startBroker, startRegistry } from '../kit/kafka.ts'
import { openLogOf } from '../kit/life.ts'
import { auditCopy, committedOf, comparedIn, emptyKafka, logFile, migrate, topicsOf } from '../kit/migrate.ts'
import { copyOfLog, fill, makeLog, RECORDS, removeLogs } from '../kit/migrate-log.ts'
import { until } from '../kit/processes.ts'
import { startService } from '../kit/service.ts'

const KILLS = LONG ? 20 : 5

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

/** Compares the copy with its origin by the kit's own means, and how far the groups are. */
async function expectGood(dataDir: string): Promise<void> {
  const [from, to] = [await openLogOf({ dataDir }), await openLogOf({ dataDir }, env)]
  const ends = async (topic: string) => [...(await to.ends(topic)).values()].map(end => end + 1)
  const [commands, records, faults] = [
    await ends('sync.commands'),
    await ends('sync.records'),
    await auditCopy(from, to),
  ]
  await Promise.all([from.stop(), to.stop()])
  expect(faults).toEqual([])
  expect(await committedOf(broker.brokers, 'decider', 'sync.commands')).toEqual(commands)
  expect(await committedOf(broker.brokers, 'projector-records', 'sync.records')).toEqual(records)
}

describe.skipIf(!kafka)('migrate', () => {
  it('goes on where it was killed, at any point, and doubles nothing', async () => {
    const points = ['migrate.marked:1', 'migrate.sent:1', `migrate.sent:${between(randomFor('points'), 2, 6)}`]
    for (const point of [...points, 'migrate.committed:1']) {
      const killed = await migrate(original, { ...env, CRASH_AT: point })
      expect([point, killed.code, killed.stderr]).toEqual([point, null, ''])
      await expect(startService(env)).rejects.toThrow('run "superinsight-sync migrate" again')
    }
    const marked = await migrate(original, { ...env, CRASH_AT: 'migrate.marked:2' })
    expect([marked.code, marked.stderr]).toEqual([null, ''])
    const finished = await migrate(original, env)
    expect(finished).toMatchObject({ code: 0, stdout: expect.stringContaining('Everything was there already') })
    expect(comparedIn(finished)).toMatchObject({ 'sync.records': RECORDS, 'sync.rejected': 1 })
    await expectGood(original)
  })

  it(`goes on after kill -9 at any moment, ${KILLS} times`, async () => {
    const random = randomFor('migrate')
    let killed = 0
    for (let kill = 0; kill < KILLS; kill++) {
      const { code, stderr } = await migrate(original, env, { killAfterMs: between(random, 0, 1500) })
      expect(stderr).toBe('')
      if (code === null) killed++
    }
    expect((await migrate(original, env)).code).toBe(0)
    expect(killed).toBeGreaterThan(0)
    await expectGood(original)
  })

  it('says so when the broker is lost, and goes on when it is back', async () => {
    const running = migrate(original, env)
    await until('it to write', async () => (await topicsOf(broker.brokers)).length > 0)
    await broker.stop()
    const lost = await running
    expect(lost.code).not.toBe(0)
    expect(lost.stderr).toMatch(/Kafka|KAFKA_BROKERS/)
    await broker.start()
    expect(await migrate(original, env)).toMatchObject({ code: 0, stderr: '' })
    await expectGood(original)
  })

  it('copies what was added since, and positions in between are good', async () => {
    const dataDir = copyOfLog(original)
    expect((await migrate(dataDir, env)).code).toBe(0)
    const service = await startService({}, { dataDir })
    const position = await fill(service, RECORDS, 500)
    await pushBatch(service, 'later', [{ id: 'a', data: {} }])
    await service.stop()
    const held = await startService({}, { dataDir })
    const busy = await migrate(dataDir, env)
    expect([busy.code, busy.stderr]).toEqual([2, expect.stringContaining('another service is using it')])
    await held.stop()
    const again = await migrate(dataDir, env)
    expect(again).toMatchObject({ code: 0, stderr: '' })
    expect(comparedIn(again)).toMatchObject({ 'sync.records': RECORDS + 501, 'sync.rejected': 2 })
    await expectGood(dataDir)
    const log = await openLogOf({ dataDir }, env)
    const [id, offset] = position.split('~log.')
    const adopted = await log.adopt({ log: id!, offsets: new Map([['log', Number.parseInt(offset!, 36)]]) }, [
      'sync.records',
    ])
    await log.stop()
    const included = [...adopted!.offsets.values()].reduce((sum, last) => sum + last + 1, 0)
    expect(included).toBe(RECORDS + 500)
  })

  it('leaves behind what is past its retention, and bears that Kafka forgets', async () => {
    const dataDir = copyOfLog(original, db =>
      db.exec(`update batches set time = time - 172800000 where topic = (select number from topics where name = 'sync.outcomes')
        and last < (select max(last) from batches where topic = (select number from topics where name = 'sync.outcomes'))`),
    )
    const migration = await migrate(dataDir, env)
    expect(migration).toMatchObject({ code: 0, stderr: '' })
    expect(comparedIn(migration)).toMatchObject({ 'sync.outcomes': 1, 'sync.commands': 5 })
    const admin = new Kafka({ brokers: [broker.brokers], logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    const all = (await admin.fetchTopicOffsets('sync.outcomes')).map(({ partition, high }) => ({
      partition,
      offset: high,
    }))
    await admin.deleteTopicRecords({ topic: 'sync.outcomes', partitions: all })
    await admin.disconnect()
    const again = await migrate(dataDir, env)
    expect(again).toMatchObject({ code: 0, stderr: '' })
    expect(comparedIn(again)).toMatchObject({ 'sync.outcomes': 0, 'sync.commands': 5 })
    const service = await startService({}, { dataDir })
    await fill(service, RECORDS, 10)
    await service.stop()
    const grown = await migrate(dataDir, env)
    expect(grown).toMatchObject({ code: 0, stderr: '' })
    expect(comparedIn(grown)['sync.outcomes']).toBeGreaterThanOrEqual(4)
  })

  it('brings the schemas along that older versions wrote with', async () => {
    // As a version before might have had it: without a field that today's readers see with its default.
    const older = structuredClone(schemas.RecordRejected) as { fields: { name: string; default?: unknown }[] }
    older.fields = older.fields.filter(({ name }) => name !== 'field')
    const dataDir = copyOfLog(original)
    const log = openEmbeddedLog({ file: logFile(dataDir) })
    const event = {
      ...{
        id: 'rej_old',
        dataset: null,
        record_id: null,
        stage: 'parse',
        code: 'C',
        message: 'old',
        original: Buffer.from('x'),
      },
      ...{ original_bytes: 1, source: 's', actor: 'a', request_id: 'r', line: 3, received_at: 1 },
    }
    const body = avro.Type.forSchema(older as unknown as avro.Schema).toBuffer(event)
    await log.declare(readTopics(), { ...schemas, RecordRejected: older })
    const value = Buffer.concat([Buffer.alloc(5), body])
    value.writeUInt32BE(log.schemaId('RecordRejected'), 1)
    const writer = batchWriter()
    writer.add(Buffer.from('rej_old'), (buffer, at) => {
      if (at + value.length <= buffer.length) buffer.set(value, at)
      return at + value.length
    })
    await log.append([writer.take('sync.rejected')!])
    await log.stop()
    // A registry of its own: the others' has today's schema already, as the one that came first.
    const registry = await startRegistry()
    const own = { ...env, SCHEMA_REGISTRY_URL: registry.url }
    expect(await migrate(dataDir, own)).toMatchObject({ code: 0, stderr: '' })
    const copied = await openLogOf({ dataDir }, own)
    const codec = createCodec(copied)
    const events = await readTopic(copied, 'sync.rejected')
    await codec.prepare(events)
    const found = events.map(({ value }) => codec.decode(value).data as RecordRejected)
    await copied.stop()
    expect(found.find(({ id }) => id === 'rej_old')).toMatchObject({
      ...event,
      field: null,
      job_id: null,
      value: null,
      webhook_id: null,
      data_only: false,
    })
    const versions = await fetch(`${registry.url}/subjects/sync.rejected-value/versions`)
    expect(((await versions.json()) as number[]).length).toBe(2)
    await registry.stop()
  })
})
