/** What a service of somebody else makes of the topics alone, in Python, against what our API says. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { call, pushBatch, readRecords } from '../kit/api.ts'
import { conflictsAt, pushOne, resolve, setPolicy } from '../kit/conflicts.ts'
import { available, randomFor } from '../kit/faults.ts'
import { type Broker, startBroker } from '../kit/kafka.ts'
import { pythonPrograms, READERS } from '../kit/python.ts'
import type { Random } from '../kit/random.ts'
import { removeData, type Service, startService, untilProjected } from '../kit/service.ts'

const kafka = inject('kafka')
const python = kafka ? findPython() : undefined
function findPython(): string | undefined {
  try {
    return pythonPrograms(READERS)
  } catch (error) {
    available('a Python client of the topics', `It needs Python 3 with venv, and PyPI: ${(error as Error).message}`)
    return undefined
  }
}

const CLIENT = new URL('../kit/topic_client.py', import.meta.url).pathname

/** A row as JSON text may say it: a number that is told apart by its digits. */
interface Row {
  data: Record<string, unknown>
  version?: number
}
type Sets = Record<string, Record<string, Row>>
interface Read {
  settings: Record<string, { title: string | null; category: string | null }>
  changes: Sets
  records: Sets
}

/** Field values that JSON readers get wrong: null and nothing, numbers that a double cannot hold, other alphabets. */
const VALUES = [
  'null',
  '1',
  '1.50',
  '12345678901234567890',
  '-0.0',
  '1E+400',
  '"ä 你好 😀"',
  '""',
  '{"deep":[1,null,{"x":2.0}]}',
  'true',
  '[]',
]
const FIELDS = ['a', 'b', 'ä"', '__proto__', 'old', 'new']

const PLAIN = ['plain', 'other ä/😀']
/** Data sets named after what decides their conflicts. */
const POLICIES = ['field_merge', 'keep_current', 'manual', 'source_wins']
/** Those whose last push of a record is not always what holds. */
const NOT_WHAT_WAS_PUSHED = ['manual', 'keep_current']

function randomData(random: Random): string {
  const fields = FIELDS.filter(() => random.chance(0.5))
  return `{${fields.map(field => `${JSON.stringify(field)}:${random.pick(VALUES)}`).join(',')}}`
}

/** What the API says of a data set, numbers as the client prints them. */
async function rowsOf(service: Service, dataset: string, position: string): Promise<Record<string, Row>> {
  await readRecords(service, dataset, position)
  const rows: Record<string, Row> = {}
  for (let cursor: string | null = ''; cursor !== null; ) {
    const more: string = cursor === '' ? '' : `&cursor=${cursor}`
    const { text } = await call(service, `/datasets/${encodeURIComponent(dataset)}/records?limit=1000${more}`)
    // The reviver's third argument has the number as it stands.
    const page = JSON.parse(text, withDigits) as {
      items: { id: string; data: Row['data']; version: { number: string } }[]
      next_cursor: string | null
    }
    for (const { id, data, version } of page.items) rows[id] = { data, version: Number(version.number) }
    cursor = page.next_cursor
  }
  return rows
}

const withDigits = ((_: string, value: unknown, { source }: { source: string }) =>
  typeof value === 'number' ? { number: source } : value) as unknown as (key: string, value: unknown) => unknown

/** Numbers are the same when they say the same: a push that spells one otherwise changes nothing. */
function sameNumber(digits: string): string {
  const [, sign, whole, part = '', exponent = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(digits)!
  const all = (whole + part).replace(/^0+/, '')
  const zeros = /0*$/.exec(all)![0].length
  if (all === '') return '0'
  return `${sign}${all.slice(0, all.length - zeros)}e${Number(exponent) - part.length + zeros}`
}

/** Rows with their numbers by what they say. */
function comparable(rows: Record<string, Row>, { versions }: { versions: boolean }): object {
  const text = JSON.stringify(rows, (key, value) => {
    if (!versions && key === 'version') return undefined
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
    const keys = Object.keys(value)
    if (keys.length === 1 && keys[0] === 'number') return { number: sameNumber(value.number) }
    return Object.fromEntries(Object.entries(value).sort(([one], [two]) => (one < two ? -1 : 1)))
  })
  return JSON.parse(text)
}

describe.skipIf(!python)('a Python client with fastavro and the registry', () => {
  let broker: Broker
  let service: Service
  let position: string
  let read: Read

  beforeAll(async () => {
    broker = await startBroker()
    service = await startService({ KAFKA_BROKERS: broker.brokers, SCHEMA_REGISTRY_URL: kafka!.registryUrl })
    const random = randomFor('a client of the topics')
    const settings = { category: 'goods', name: 'Plain ä' }
    expect((await call(service, '/datasets/plain', { method: 'PUT', body: settings })).status).toBe(200)
    for (const policy of POLICIES) await setPolicy(service, policy, policy)
    for (let round = 0; round < 15; round++) {
      for (const dataset of [...PLAIN, ...POLICIES]) {
        const strange = POLICIES.includes(dataset)
        const records = Array.from({ length: 8 }, () => {
          const id = JSON.stringify(`r${random.int(6)}`)
          if (random.chance(0.2)) return `{"id":${id},"op":"delete"}`
          // Made from whatever version: some conflict.
          const metadata = strange && random.chance(0.6) ? `,"metadata":{"version":${random.int(4)}}` : ''
          return `{"id":${id},"data":${randomData(random)}${metadata}}`
        })
        const body = `{"source":"tests","dataset":${JSON.stringify(dataset)},"records":[${records.join(',')}],"options":{"upsert":${!strange || random.chance(0.9)}}}`
        const headers = { 'content-type': 'application/json' }
        const answer = await call<{ position: string }>(service, '/push/batch', { body, headers })
        expect(answer.status).toBe(200)
        position = answer.body.position
      }
    }
    await pushOne(service, 'manual', { id: 'decided', data: { a: 1, b: 1 } })
    const found = await pushOne(service, 'manual', { id: 'decided', data: { b: 2 }, metadata: { version: 0 } })
    const conflict = (await conflictsAt(service, 'manual', found)).find(({ record_id }) => record_id === 'decided')
    await resolve(service, conflict!.id, { resolution: 'accept_incoming' })
    for (const dataset of NOT_WHAT_WAS_PUSHED) {
      await pushOne(service, dataset, { id: 'refused', data: { a: 1, b: 1 } })
      await pushOne(service, dataset, { id: 'refused', data: { a: 1, b: 2 }, metadata: { version: 0 } })
    }
    position = (await pushBatch(service, 'last', [{ id: 'x', data: {} }])).body.position
    await untilProjected(service, position)
    const args = [CLIENT, broker.brokers, kafka!.registryUrl]
    const { stdout } = await promisify(execFile)(join(python!, 'python'), args, { maxBuffer: 2 ** 28 })
    read = JSON.parse(stdout)
  })
  afterAll(async () => {
    await service?.stop()
    if (service) removeData(service)
    await broker?.stop()
  })

  it('has the rows of every data set, with their versions, from sync.changes simply applied', async () => {
    const names = [...PLAIN, ...POLICIES, 'last']
    expect(Object.keys(read.changes).sort()).toEqual(names.toSorted())
    for (const name of names) {
      const ours = await rowsOf(service, name, position)
      expect(Object.keys(ours).length).toBeGreaterThan(0)
      expect([name, comparable(read.changes[name] ?? {}, { versions: true })]).toEqual([
        name,
        comparable(ours, { versions: true }),
      ])
    }
  })

  it('has them from sync.records too, the last one of each key, where no push says what it was made from', async () => {
    for (const name of [...PLAIN, 'last']) {
      const ours = await rowsOf(service, name, position)
      expect([name, comparable(read.records[name]!, { versions: false })]).toEqual([
        name,
        comparable(ours, { versions: false }),
      ])
    }
  })

  it('has not, from sync.records, where policies decided otherwise', async () => {
    const differ = []
    for (const name of NOT_WHAT_WAS_PUSHED) {
      const ours = comparable(await rowsOf(service, name, position), { versions: false })
      if (JSON.stringify(ours) !== JSON.stringify(comparable(read.records[name]!, { versions: false })))
        differ.push(name)
    }
    expect(differ).toEqual(NOT_WHAT_WAS_PUSHED)
  })

  it('has what was set for data sets from sync.datasets', async () => {
    expect(read.settings.plain).toEqual({ title: 'Plain ä', category: 'goods' })
    const { body } = await call<{ category: string }>(service, '/datasets/plain')
    expect(body.category).toBe('goods')
  })
})
