/** Accuracy: whether records keep what the schema of their data set says beyond types. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, pushBatch } from '../kit/api.ts'
import { conflictsAt, pushOne, resolve } from '../kit/conflicts.ts'
import { dilute } from '../kit/made-datasets.ts'
import { removeData, type Service, startService, untilProjected } from '../kit/service.ts'

const SCHEMA = { properties: { code: { type: 'string', pattern: '^[A-Z][0-9]$' }, size: { minimum: 1, maximum: 9 } } }

let service: Service
beforeAll(async () => {
  service = await startService()
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

interface Part {
  readonly score: number | null
  readonly reasons: {
    readonly column: string | null
    readonly message: string
    readonly count: number
    readonly of: number
  }[]
}

async function accuracyOf(dataset: string): Promise<Part> {
  const { body } = await call<{ dimensions: Record<string, Part> }>(service, `/datasets/${dataset}/quality`)
  return body.dimensions.accuracy!
}

async function set(dataset: string, settings: object): Promise<void> {
  const answer = await call<{ position: string }>(service, `/datasets/${dataset}`, { method: 'PUT', body: settings })
  expect([answer.status, answer.text]).toEqual([200, expect.any(String)])
}

async function push(dataset: string, records: object[], options = {}) {
  const { status, body, text } = await pushBatch(service, dataset, records, {
    ack: 'projected',
    validate: false,
    ...options,
  })
  expect([status, text]).toEqual([200, expect.any(String)])
  return body
}

const row = (id: string, code: unknown, size: unknown) => ({ id, data: { code, size } })

describe('accuracy', () => {
  it('is the share of the records that keep the rules of the schema, validated or not', async () => {
    await set('rivers', { schema: SCHEMA })
    await push('rivers', [row('1', 'R1', 3), row('2', 'o2', 3), row('3', 'B3', 12), row('4', 'T4', 5)])
    expect(await accuracyOf('rivers')).toMatchObject({
      score: 0.5,
      reasons: [{ column: null, message: '2 of 4 break a rule', count: 2, of: 4 }],
    })
    // As it should be, as it should not be, and gone.
    await push('rivers', [row('2', 'O2', 3), row('4', 'T4', 50), { id: '3', op: 'delete' }])
    expect((await accuracyOf('rivers')).score).toBe(0.6667)
    // A wrong type is for validity; the other value is held against its rule all the same.
    await push('rivers', [row('5', 5, 5), row('6', 6, 60)])
    expect((await accuracyOf('rivers')).score).toBe(0.6)
    await push('rivers', [row('7', 'A7', 7)], { validate: true })
    expect((await accuracyOf('rivers')).score).toBe(0.6667)
  })

  it('is null without a schema, with one that has types only, and for what came before the rules', async () => {
    await push('free', [row('1', 'x', 1)])
    expect((await accuracyOf('free')).score).toBeNull()
    await set('free', { schema: { properties: { code: { type: 'string' } } } })
    await push('free', [row('2', 'x', 1)])
    expect((await accuracyOf('free')).score).toBeNull()
    await set('free', { schema: SCHEMA })
    expect((await accuracyOf('free')).score).toBeNull()
    await push('free', [row('3', 'x', 1)])
    expect((await accuracyOf('free')).score).toBe(0)
  })

  it('holds a rejected row that is replayed, and what a conflict is resolved to, against them', async () => {
    await set('mended', { schema: SCHEMA, schema_contract: 'discard_row' })
    await push('mended', [row('1', 'W0', 10)])
    const taken = await pushBatch(service, 'mended', [row('2', 'W2', 2), row('3', 'wrong', 1)], { ack: 'projected' })
    expect([taken.status, (await accuracyOf('mended')).score]).toEqual([207, 0.5])
    const { body } = await call<{ items: { id: string }[] }>(service, '/rejected?dataset=mended')
    const replayed = await call<{ position: string }>(service, `/rejected/${body.items[0]!.id}/replay`, {
      body: { data: { code: 'W3', size: 3 } },
    })
    expect([replayed.status, replayed.text]).toEqual([200, expect.any(String)])
    await untilProjected(service, replayed.body.position)
    expect((await accuracyOf('mended')).score).toBe(0.6667)

    await set('decided', { schema: SCHEMA, conflict_policy: 'manual' })
    await pushOne(service, 'decided', { id: 'a', data: { code: 'A1', size: 1 } })
    const found = await pushOne(
      service,
      'decided',
      { id: 'a', data: { code: 'A1', size: 99 }, metadata: { version: 0 } },
      { validate: false },
    )
    await untilProjected(service, found)
    expect((await accuracyOf('decided')).score).toBe(1)
    const [conflict] = await conflictsAt(service, 'decided', found)
    await resolve(service, conflict!.id, { resolution: 'accept_incoming' })
    const { body: told } = await pushBatch(service, 'elsewhere', [row('1', 'x', 1)], { ack: 'projected' })
    await untilProjected(service, told.position)
    expect((await accuracyOf('decided')).score).toBe(0)
  })

  it('keeps rows that break a rule out of a dilution', async () => {
    await set('offered', { schema: SCHEMA })
    const good = Array.from({ length: 20 }, (_, n) => row(`g${n}`, `G${n % 10}`, 1 + (n % 9)))
    const bad = Array.from({ length: 20 }, (_, n) => row(`b${n}`, `b${n}`, 1 + (n % 9)))
    await push('offered', [...good, ...bad])
    const noisy = Array.from({ length: 40 }, (_, n) => row(`n${n}`, `N${n % 10}`, 1 + (n % 9)))
    await push('noisy', noisy)
    expect((await accuracyOf('offered')).score).toBe(0.5)
    const config = { dilution_ratio: 1, matching_fields: ['size'], quality_threshold: 0.1 }
    const body = { source_dataset_id: 'noisy', dilution_dataset_ids: ['offered'], config, seed: '1' }
    const { status, body: made } = await dilute(service, body)
    expect(status).toBe(200)
    expect(made).toMatchObject({ diluted_records: 20, passed_over: { below_threshold: 20 } })
  })
})
