import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, pushBatch, pushLines, tokenFor } from '../kit/api.ts'
import { type Conflict, type ConflictPage, conflictsAt, pushOne, recordAt, setPolicy } from '../kit/conflicts.ts'
import { jobEnd, pushFile } from '../kit/forms.ts'
import { until } from '../kit/processes.ts'
import { plainJob, runJob } from '../kit/pulls.ts'
import { type Source, startSource } from '../kit/rows-source.ts'
import { removeData, type Service, startService } from '../kit/service.ts'
import { type Delivered, makeWebhook } from '../kit/webhooks.ts'

let service: Service
let source: Source
beforeAll(async () => {
  service = await startService({ ALLOW_PRIVATE_ADDRESSES: '127.0.0.0/8' })
  source = await startSource({ rows: () => ['{"id":"r","a":15}'] })
})
afterAll(async () => {
  await source?.stop()
  await service?.stop()
  removeData(service)
})

const EARLY = '2026-01-02T03:00:00Z'
const LATE = '2026-01-02T05:00:00+01:00'
const PRIORITY = { type: 'source_priority', sources: ['erp', 'tests'] }

let datasets = 0
/** A data set with a policy that nobody else has, with one record of two versions. */
async function made(policy: unknown, more: object = {}): Promise<string> {
  const dataset = `conflicts-${datasets++}`
  expect((await setPolicy(service, dataset, policy, more)).status).toBe(200)
  await pushOne(service, dataset, { id: 'r', data: { a: 1, b: 1 } })
  await pushOne(service, dataset, { id: 'r', data: { a: 2, b: 1 }, metadata: { updated_at: EARLY } })
  return dataset
}

/** What becomes of a push: the row's data, its version, and the conflict. */
async function after(dataset: string, record: object | string, options: object = {}) {
  const position = await pushOne(service, dataset, record, options)
  const found = await conflictsAt(service, dataset, position)
  const row = await recordAt(service, dataset, 'r', position)
  return { data: row?.data ?? null, version: row?.version, found, conflict: found.at(-1), position }
}

const stale = (data: object, more: object = {}) => ({ id: 'r', data, metadata: { version: 1, ...more } })

describe('a policy decides over HTTP', () => {
  it.each<[string, unknown, object, object, string | null]>([
    ['last_write_wins', 'last_write_wins', {}, { a: 2, b: 1 }, 'keep_current'],
    ['last_write_wins, by time', { type: 'last_write_wins' }, { updated_at: LATE }, { a: 9, b: 1 }, 'accept_incoming'],
    ['none', null, { updated_at: LATE }, { a: 9, b: 1 }, 'accept_incoming'],
    ['source_wins', 'source_wins', {}, { a: 9, b: 1 }, 'accept_incoming'],
    ['keep_current', 'keep_current', { updated_at: LATE }, { a: 2, b: 1 }, 'keep_current'],
    ['source_priority', PRIORITY, {}, { a: 2, b: 1 }, 'keep_current'],
    ['manual', 'manual', { updated_at: LATE }, { a: 2, b: 1 }, null],
  ])('%s', async (_, policy, more, data, resolution) => {
    const dataset = await made(policy)
    const outcome = await after(dataset, stale({ a: 9, b: 1 }, more))
    expect(outcome.data).toEqual(data)
    expect(outcome.found).toHaveLength(1)
    expect(outcome.conflict).toMatchObject({
      ...{ dataset, record_id: 'r', type: 'version', status: resolution === null ? 'open' : 'resolved', resolution },
      ...{ current: { a: 2, b: 1 }, incoming: { a: 9, b: 1 }, position: outcome.position, fields: ['a'] },
      ...{ current_version: 2, incoming_version: 1, source: 'tests', resolved_by: null },
    })
    expect(outcome.conflict!.id).toMatch(/^conf_/)
  })

  it('field_merge: what does not overlap is merged, and the rest is asked for', async () => {
    const dataset = await made('field_merge')
    const clean = await after(dataset, stale({ a: 1, b: 5 }))
    expect([clean.data, clean.version, clean.conflict]).toMatchObject([
      { a: 2, b: 5 },
      3,
      { type: 'version', status: 'resolved', resolution: 'merge', policy: 'field_merge' },
    ])
    const { data, version, conflict } = await after(dataset, stale({ a: 7, b: 1, c: 1 }))
    expect([data, version, conflict]).toMatchObject([
      { a: 2, b: 5, c: 1 },
      4,
      { type: 'concurrent_field', status: 'open', resolution: null, fields: ['a'], current: { a: 2, b: 5 } },
    ])
  })

  it('source_priority: the higher source wins, whenever it comes', async () => {
    const dataset = await made(PRIORITY)
    const body = { source: 'erp', dataset, records: [stale({ a: 7 })] }
    await call(service, '/push/batch', { body })
    const { data, conflict } = await after(dataset, stale({ a: 8 }, { updated_at: LATE }))
    expect([data, conflict]).toMatchObject([{ a: 7 }, { resolution: 'keep_current' }])
    expect((await after(dataset, stale({ a: 8 }))).found.map(({ resolution }) => resolution)).toEqual([
      'accept_incoming',
      'keep_current',
      'keep_current',
    ])
  })

  it.each([
    ['last_write_wins', 'keep_current'],
    ['source_wins', 'keep_current'],
    ['manual', null],
    ['field_merge', null],
  ])('%s: upsert: false never overwrites', async (policy, resolution) => {
    const dataset = await made(policy)
    const { data, conflict } = await after(dataset, { id: 'r', data: { a: 9 } }, { upsert: false })
    expect([data, conflict]).toMatchObject([{ a: 2 }, { type: 'insert_insert', resolution }])
    const same = await after(dataset, { id: 'r', data: { b: 1.0, a: 2 } }, { upsert: false })
    expect(same.found).toHaveLength(1)
  })

  it.each<[string, object | null, string | null]>([
    ['keep_current', { a: 2, b: 1 }, 'keep_current'],
    ['source_wins', null, 'accept_incoming'],
    ['manual', { a: 2, b: 1 }, null],
  ])('%s: a stale delete', async (policy, data, resolution) => {
    const dataset = await made(policy)
    const outcome = await after(dataset, { id: 'r', op: 'delete', metadata: { version: 1 } })
    expect(outcome.data).toEqual(data)
    expect(outcome.conflict).toMatchObject({
      type: 'delete_update',
      incoming: null,
      current: { a: 2, b: 1 },
      resolution,
    })
  })

  it('a stale push to a record that was removed', async () => {
    const dataset = await made('manual')
    await pushOne(service, dataset, { id: 'r', op: 'delete' })
    const { data, conflict } = await after(dataset, stale({ a: 9 }))
    expect([data, conflict]).toMatchObject([null, { type: 'delete_update', current: null, incoming: { a: 9 } }])
  })
})

describe('whichever way a record comes', () => {
  /** Writes record r anew in some way, and tells where. */
  const WAYS: Record<string, (dataset: string) => Promise<string>> = {
    async lines(dataset) {
      const line = JSON.stringify({ id: 'r', data: { a: 11 }, dataset })
      return (await pushLines(service, 'dataset=other', `${line}\n`)).body.position
    },
    async 'a file'(dataset) {
      const file = await pushFile(service, 'id,a\nr,12\n', { options: { dataset, id_column: 'id' } })
      return (await jobEnd(service, file.body.job_id)).position
    },
    async 'a delivery'(dataset) {
      const hook = await makeWebhook(service, { dataset, record_id: '/id', signature: { scheme: 'none' } })
      const body = { id: 'r', a: 13 }
      return (await call<Delivered>(service, `/push/webhook/${hook.id}`, { body })).body.position
    },
    async 'a replay'(dataset) {
      const { body } = await pushBatch(service, dataset, [{ id: 'r', data: { b: 'x' } }])
      const query = `/rejected?dataset=${dataset}&min_position=${body.position}`
      const { items } = (await call<{ items: { id: string }[] }>(service, query)).body
      const mend = { data: { a: 14 } }
      return (await call<{ position: string }>(service, `/rejected/${items[0]!.id}/replay`, { body: mend })).body
        .position
    },
    async 'a pull'(dataset) {
      const destination = { type: 'database', table: dataset, mode: 'upsert', key_columns: ['id'] }
      return (await runJob(service, plainJob(source, { destination }))).position
    },
  }

  it.each(Object.entries(WAYS))('it brings the policy of its data set along: %s', async (_, write) => {
    // Fields merge from a version only if the record that replaced it was taken in under that policy.
    const dataset = await made('field_merge', { schema: { properties: { b: { type: 'number' } } } })
    const position = await write(dataset)
    expect((await recordAt(service, dataset, 'r', position))!.version).toBe(3)
    const { conflict } = await after(dataset, { id: 'r', data: { a: 2, b: 1, c: 1 }, metadata: { version: 2 } })
    expect(conflict).toMatchObject({ type: 'version', policy: 'field_merge', resolution: 'merge' })
  })

  it('ack: projected has its conflicts in the read model', async () => {
    const dataset = await made('manual')
    await pushOne(service, dataset, stale({ a: 9 }), { ack: 'projected' })
    const { body } = await call<ConflictPage>(service, `/conflicts?dataset=${dataset}`)
    expect(body.items).toHaveLength(1)
  })

  it('nothing that says the same conflicts, and nothing that does not say what it was made from', async () => {
    const dataset = await made('manual')
    await after(dataset, stale({ b: 1.0, a: 2 }))
    await after(dataset, { id: 'r', data: { a: 3 } })
    expect((await after(dataset, { id: 'r', data: { a: 4 }, metadata: { version: 3 } })).found).toEqual([])
  })

  it('both sides are shown to the last digit', async () => {
    const dataset = `conflicts-${datasets++}`
    await setPolicy(service, dataset, 'manual')
    await pushOne(service, dataset, '{"id":"r","data":{"n":9007199254740993,"x":1.10}}')
    const position = await pushOne(
      service,
      dataset,
      '{"id":"r","data":{"n":12345678901234567890.50},"metadata":{"version":0}}',
    )
    const { text, body } = await call<ConflictPage>(service, `/conflicts?dataset=${dataset}&min_position=${position}`)
    const sides = '"current":{"n":9007199254740993,"x":1.10},"incoming":{"n":12345678901234567890.50}'
    expect(text).toContain(sides)
    expect((await call(service, `/conflicts/${body.items[0]!.id}`)).text).toContain(sides)
  })
})

it('conflicts are counted, by type and policy', async () => {
  const dataset = await made('keep_current')
  await after(dataset, { id: 'r', op: 'delete', metadata: { version: 1 } })
  const counted = /^sync_conflicts_total\{type="delete_update",policy="keep_current"\} (\d+)$/m
  const text = await until('it to be counted', async () => {
    const { text } = await call(service, '/metrics')
    return counted.test(text) && text
  })
  expect(Number(counted.exec(text)![1])).toBeGreaterThan(0)
})

describe('conflicts are asked for', () => {
  it('by each filter, and in pages', async () => {
    const dataset = await made('manual')
    for (let n = 0; n < 5; n++) await pushOne(service, dataset, stale({ a: 10 + n }))
    await pushOne(service, dataset, { id: 's', data: { a: 1 } })
    await pushOne(service, dataset, { id: 's', data: { a: 2 } }, { upsert: false })
    await setPolicy(service, dataset, 'keep_current')
    const position = await pushOne(service, dataset, stale({ a: 20 }))
    const count = async (query: string) => (await conflictsAt(service, dataset, position, query)).length
    expect(await count('')).toBe(7)
    expect(await count('&status=open')).toBe(6)
    expect(await count('&status=resolved')).toBe(1)
    expect(await count('&record_id=s')).toBe(1)
    expect(await count('&type=version')).toBe(6)
    expect(await count('&type=insert_insert&status=open&record_id=s')).toBe(1)
    expect(await count('&type=delete_update')).toBe(0)
    const found: Conflict[] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const path: string = `/conflicts?dataset=${dataset}&limit=3${cursor ? `&cursor=${cursor}` : ''}`
      const { body }: { body: ConflictPage } = await call<ConflictPage>(service, path)
      expect(body.items.length).toBeLessThanOrEqual(3)
      found.push(...body.items)
      cursor = body.next_cursor
    }
    expect(found).toEqual(await conflictsAt(service, dataset, position))
    for (const each of found) expect((await call(service, `/conflicts/${each.id}`)).body).toEqual(each)
  })

  it('not by what is not known, nor without the right to', async () => {
    for (const wrong of ['status=closed', 'type=strange', 'limit=0', 'cursor=%21', 'dataset=']) {
      const answer = await call(service, `/conflicts?${wrong}`)
      expect([answer.status, answer.body.error?.details[0]?.field]).toEqual([400, wrong.split('=')[0]])
    }
    const { access_token } = await tokenFor(service, 'sync:write')
    expect((await call(service, '/conflicts', { as: access_token })).status).toBe(403)
    expect((await call(service, '/conflicts/conf_x')).status).toBe(404)
  })
})

it.each([
  ['an unknown one', 'coin_toss'],
  ['source_priority without its sources', 'source_priority'],
  ['an unknown type', { type: 'coin_toss' }],
  ['no text', 5],
])('a policy that is none is refused, naming the field and what was expected: %s', async (_, policy) => {
  const { status, body } = await setPolicy(service, 'refused', policy)
  expect([status, body.error.details[0]!.field]).toEqual([400, 'conflict_policy'])
  expect(body.error.message).toMatch(/last_write_wins.*source_wins.*keep_current.*field_merge.*manual.*source_priority/)
})
