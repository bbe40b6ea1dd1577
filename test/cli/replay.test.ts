import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Kafka } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { call, pushLines } from '../kit/api.ts'
import { run, until } from '../kit/processes.ts'
import { removeData, type Service, startService, untilProjected } from '../kit/service.ts'

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
const kafka = inject('kafka')
const RECORDS = 300

let service: Service
let whole: string
beforeAll(async () => {
  service = await startService()
  const lines = Array.from({ length: RECORDS }, (_, n) => JSON.stringify({ id: `r${n}`, data: { n } })).join('\n')
  const { body } = await pushLines(service, 'dataset=replayed', lines)
  await untilProjected(service, body.position)
  whole = (await call(service, '/events/export?topic=sync.records')).text
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

async function replay(args: readonly string[], env: Record<string, string> = {}) {
  const { hostname, port } = new URL(service.url)
  const options = { env: { PATH: process.env.PATH!, HOST: hostname, PORT: port, DATA_DIR: service.dataDir, ...env } }
  const ended = run(process.execPath, ['--disable-warning=ExperimentalWarning', CLI, 'replay', ...args], options)
  const code = await new Promise<number>(resolve => ended.child.on('close', resolve))
  return { code, output: ended.output() }
}

describe('replay', () => {
  it('prints what happened, a line each', async () => {
    expect(whole.trimEnd().split('\n')).toHaveLength(RECORDS)
    expect(await replay(['--topic', 'sync.records'])).toEqual({ code: 0, output: whole })
    const [, second] = whole.split('\n')
    const { position } = JSON.parse(whole.split('\n')[0]!)
    const { position: to } = JSON.parse(second!)
    const part = await replay(['--topic', 'sync.records', '--from', position, '--to', to])
    expect(part).toEqual({ code: 0, output: `${second}\n` })
  })

  it('writes a file, of another format too', async () => {
    const file = join(service.dataDir, 'events.csv')
    expect(await replay(['--type', 'RecordPushed', '--format', 'csv', '--output', file])).toEqual({
      code: 0,
      output: '',
    })
    const wanted = await call(service, '/events/export?topic=sync.records&format=csv')
    expect(readFileSync(file, 'utf8')).toBe(wanted.text)
  })

  it.skipIf(!kafka)('copies it into a Kafka topic, keys and order as they are', async () => {
    const topic = `copy-${Date.now()}`
    const client = new Kafka({ brokers: kafka!.brokers.split(','), logLevel: 0 })
    const admin = client.admin()
    await admin.connect()
    await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: 1 }] })
    await admin.disconnect()
    const env = { KAFKA_BROKERS: kafka!.brokers, SCHEMA_REGISTRY_URL: kafka!.registryUrl }
    expect(await replay(['--topic', 'sync.records', '--into', topic], env)).toEqual({ code: 0, output: '' })
    const consumer = client.consumer({ groupId: topic })
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    const got: [string, string][] = []
    await consumer.run({
      eachMessage: async ({ message }) => void got.push([message.key!.toString(), message.value!.toString()]),
    })
    await until('all to be read', () => got.length >= RECORDS)
    await consumer.disconnect()
    const lines = whole.trimEnd().split('\n')
    expect(got).toEqual(lines.map(line => [JSON.parse(line).key, line]))
  })

  it.each([
    [['--topic', 'sync.nothing'], 'sync.nothing'],
    [['--from', 'yesterday'], 'from'],
    [['--format', 'xml'], 'xml'],
    [['--into', 'topic'], 'KAFKA_BROKERS'],
    [['--into', 'topic', '--output', 'file'], 'into'],
    [['--sideways'], 'sideways'],
  ])('says what is wrong with %j', async (args, named) => {
    const { code, output } = await replay(args)
    expect([code, output]).toEqual([2, expect.stringContaining(named)])
  })
})
