import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { type Admin, Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { CHECKPOINTS } from '../../src/log/kafka-checkpoints.ts'
import type { Log, Stream } from '../../src/log/log.ts'
import { events, readAll, readTopic, SPEC, text } from '../kit/events.ts'
import { openLogAt } from '../kit/logs.ts'
import { run, until } from '../kit/processes.ts'

const HANDLER = fileURLToPath(new URL('../kit/handle-commands.ts', import.meta.url))
const kafka = inject('kafka')
const where = `kafka:${kafka?.brokers},${kafka?.registryUrl}`

/** What `offsets.retention.minutes` does to a group that has had no members for so long: the admin client does it at once. */
describe.skipIf(!kafka)('a group whose offsets Kafka has forgotten', () => {
  const client = new Kafka({ brokers: [kafka?.brokers ?? ''], logLevel: logLevel.NOTHING })
  let admin: Admin
  let log: Log
  let commands: string
  let results: string
  let group: string
  let stream: Stream

  beforeAll(async () => {
    admin = client.admin()
    await admin.connect()
    log = await openLogAt(where)
  })
  afterAll(async () => {
    await admin?.disconnect()
    await log?.stop()
  })
  beforeEach(async () => {
    const id = randomBytes(4).toString('hex')
    commands = `commands-${id}`
    results = `results-${id}`
    group = `handler-of-${commands}`
    await declare(log)
    stream = log.streams(commands)[0]!
    await log.append([events(commands, ...['0', '1', '2', '3', '4', '5'].map(n => ['x', n] as [string, string]))])
  })

  const declare = (to: Log) =>
    to.declare(
      [
        { ...SPEC, name: results },
        { ...SPEC, name: commands, partitions: 1 },
      ],
      {},
    )

  async function forget(): Promise<void> {
    await admin.deleteGroups([group])
    const [of] = await admin.fetchOffsets({ groupId: group, topics: [commands] })
    expect(of!.partitions).toEqual([expect.objectContaining({ partition: 0, offset: '-1' })])
  }

  /** Handles the command at an offset, as its owner. */
  function handle(by: Log, offset: number): Promise<unknown> {
    const consumed = { group, stream, offset }
    return by.append([events(results, ['x', `did ${offset}`])], { consumed })
  }

  async function done(): Promise<string[]> {
    return (await readTopic(log, results)).map(text)
  }

  it('goes on where it was, and refuses what was handled', async () => {
    await log.own(group, stream)
    for (const offset of [0, 1, 2]) await handle(log, offset)
    await forget()
    const next = await openLogAt(where)
    await declare(next)
    expect(await next.own(group, stream)).toBe(2)
    await expect(handle(next, 2)).rejects.toMatchObject({ code: 'CONFLICT' })
    await handle(next, 3)
    await forget()
    expect(await next.own(group, stream)).toBe(3)
    await next.stop()
    await until('all to be visible', async () => (await done()).length === 4)
    expect(await done()).toEqual(['did 0', 'did 1', 'did 2', 'did 3'])
  })

  it('does not take for handled what a transaction held that was never committed', async () => {
    const crashed = run(process.execPath, [HANDLER, where, commands, results, 'kafka.offsets-sent:3'])
    await new Promise(resolve => crashed.child.on('exit', resolve))
    expect(await log.own(group, stream)).toBe(1)
    await forget()
    expect(await log.own(group, stream)).toBe(1)
    for (const offset of [2, 3]) await handle(log, offset)
    await until('all to be visible', async () => (await done()).length === 4)
    expect(await done()).toEqual(['did 0', 'did 1', 'did 2', 'did 3'])
  })

  it('waits for the transactions of others that hide how far it was', async () => {
    await log.own(group, stream)
    const producer = client.producer({ transactionalId: `other-${group}`, maxInFlightRequests: 1, idempotent: true })
    await producer.connect()
    const other = await producer.transaction()
    await other.send({ topic: CHECKPOINTS, messages: [{ key: `other-${group}`, value: '7' }] })
    await handle(log, 0)
    await forget()
    let owned: number | undefined
    const owning = log.own(group, stream).then(checkpoint => {
      owned = checkpoint
    })
    // The stream of commands itself is read meanwhile, so time goes by.
    for (let n = 0; n < 20; n++) await readAll(log, stream)
    expect(owned).toBeUndefined()
    await other.abort()
    await owning
    expect(owned).toBe(0)
    await producer.disconnect()
  })

  it('begins at the beginning when it never was anywhere', async () => {
    expect(await log.own(group, stream)).toBe(-1)
  })
})
