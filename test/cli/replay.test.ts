import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Kafka } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { call, pushLines } from '../kit/api.ts'
import { CLI, runCli, startCli } from '../kit/cli.ts'
import { freePort, run, until } from '../kit/processes.ts'
import { removeData, type Service, startService, untilProjected } from '../kit/service.ts'
import { outsider } from '../kit/topics.ts'

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
  const { code, stdout, stderr } = await runCli(service, ['replay', ...args], { env })
  return { code, output: stdout + stderr }
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

  it('leaves a file as it is when what is asked for is refused', async () => {
    const file = join(service.dataDir, 'kept.ndjson')
    writeFileSync(file, 'kept')
    const { code } = await replay(['--topic', 'sync.nothing', '--output', file])
    expect([code, readFileSync(file, 'utf8')]).toEqual([2, 'kept'])
    expect(await replay(['--topic', 'sync.webhooks', '--output', file])).toEqual({ code: 0, output: '' })
    expect(readFileSync(file, 'utf8')).toBe('')
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
    const [message] = await outsider(kafka!.brokers).messagesOf(topic)
    const { id, time, position } = JSON.parse(lines[0]!)
    expect(message!.headers).toMatchObject({
      ...{ ce_id: id, ce_time: time, ce_specversion: '1.0', ce_type: 'superinsight.sync.RecordPushed' },
      ...{ ce_source: `/sync/${position.split('~')[0]}`, 'content-type': 'application/json' },
    })
  })

  it('says in a sentence that no broker answers', async () => {
    const brokers = `127.0.0.1:${await freePort()}`
    const { code, output } = await replay(['--into', 'copy'], {
      KAFKA_BROKERS: brokers,
      SCHEMA_REGISTRY_URL: 'http://none',
    })
    expect([code, output]).toEqual([
      1,
      expect.stringMatching(/^(\d+ events, .*\n)*superinsight-sync: --into: copy at 127.*\n$/),
    ])
  })

  it.each([
    [['--from', '2999-01-01'], 'from: 2999-01-01 is in the future'],
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

describe('replay, over a restart of the service', () => {
  const port: Record<string, string> = {}
  let own: Service
  let end: string
  beforeAll(async () => {
    port.PORT = String(await freePort())
    own = await startService(port)
    const text = 'x'.repeat(1000)
    const lines = Array.from({ length: 60_000 }, (_, n) => JSON.stringify({ id: `r${n}`, data: { n, text } })).join(
      '\n',
    )
    end = (await pushLines(own, 'dataset=long', lines)).body.position
    await untilProjected(own, end)
  })
  afterAll(async () => {
    await own?.stop()
    removeData(own)
  })

  it.each(['ndjson', 'csv', 'parquet'])('writes %s as if nothing had been', async format => {
    const query = `topic=sync.records&to=${end}`
    const answer = await fetch(`${own.url}/events/export?${query}&format=${format}`, {
      headers: { authorization: `Bearer ${own.token}` },
    })
    const whole = Buffer.from(await answer.arrayBuffer())
    const started = startCli(own, ['replay', '--topic', 'sync.records', '--to', end, '--format', format])
    await until('some to be printed', () => started.printed() > 0)
    // More is left than fits in between.
    started.pause()
    await own.stop('SIGKILL')
    own = await startService(port, { dataDir: own.dataDir })
    started.resume()
    const { code, bytes, stderr } = await started.ended
    expect([code, stderr]).toEqual([0, expect.stringContaining('trying again')])
    expect(bytes.equals(whole)).toBe(true)
  })

  it('ends quietly when its reader has enough', async () => {
    const { hostname, port } = new URL(own.url)
    const env = { PATH: process.env.PATH!, HOST: hostname, PORT: port, DATA_DIR: own.dataDir }
    const program = `'${process.execPath}' --disable-warning=ExperimentalWarning '${CLI}'`
    const line = `set -o pipefail; ${program} replay | head -2 | wc -l; echo $?`
    const shell = run('bash', ['-c', line], { env })
    await new Promise(resolve => shell.child.on('close', resolve))
    expect(shell.output()).toBe('2\n141\n')
  })
})
