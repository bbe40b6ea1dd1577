import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, tokenFor } from '../kit/api.ts'
import { readChanges } from '../kit/audit.ts'
import { type Conflict, conflictsAt, pushOne, recordAt, reopen, resolve, setPolicy } from '../kit/conflicts.ts'
import { openLogOf, readModelOf } from '../kit/life.ts'
import { auditReadModel } from '../kit/rebuild.ts'
import { removeData, type Service, startService } from '../kit/service.ts'

let service: Service
beforeAll(async () => {
  service = await startService({ MAX_LINE_BYTES: '4096' })
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

let datasets = 0
/** A conflict that a stale push, or another one, has made with a record of two versions. */
async function made(policy: unknown = 'manual', record: object = {}, more: object = {}) {
  const dataset = `decided-${datasets++}`
  expect((await setPolicy(service, dataset, policy, more)).status).toBe(200)
  await pushOne(service, dataset, '{"id":"r","data":{"a":1,"b":1}}')
  await pushOne(service, dataset, '{"id":"r","data":{"a":9007199254740993,"b":1}}')
  const stale = { id: 'r', data: { a: 3, b: 1 }, metadata: { version: 1 }, ...record }
  const [conflict] = await conflictsAt(service, dataset, await pushOne(service, dataset, stale))
  return { dataset, id: conflict!.id, conflict: conflict! }
}

/** The row as it is, at a position, its data as text; null when it is not there. */
async function rowAt(dataset: string, position?: string): Promise<[data: string | null, version: number | undefined]> {
  const at = position === undefined ? '' : `?min_position=${position}`
  const { status, text, body } = await call<{ version: number }>(service, `/datasets/${dataset}/records/r${at}`)
  return status === 404 ? [null, undefined] : [/"data":(.*),"version"/.exec(text)![1]!, body.version]
}

const CURRENT = '{"a":9007199254740993,"b":1}'

describe('resolving a conflict', () => {
  it.each<[object | string, string, number]>([
    [{ resolution: 'accept_incoming' }, '{"a":3,"b":1}', 3],
    [{ resolution: 'keep_current' }, CURRENT, 2],
    ['{"resolution":"merge","data":{"a":1.50,"n":12345678901234567890}}', '{"a":1.50,"n":12345678901234567890}', 3],
  ])('with %s', async (body, data, version) => {
    const { dataset, id, conflict } = await made()
    const before = Date.now()
    const answer = await resolve(service, id, body)
    const { resolution } = typeof body === 'string' ? JSON.parse(body) : body
    expect([answer.status, answer.body]).toMatchObject([200, { id, status: 'resolved', resolution }])
    expect(answer.body.resolved_by).toMatch(/^cli_/)
    expect(Date.parse(answer.body.resolved_at!)).toBeGreaterThanOrEqual(before)
    // The next read sees it, wherever it is at; the conflict keeps both of its sides, and its own place.
    expect(await rowAt(dataset)).toEqual([data, version])
    expect(await rowAt(dataset, answer.body.position)).toEqual([data, version])
    const now = await call<Conflict>(service, `/conflicts/${id}?min_position=${answer.body.position}`)
    expect(now.body).toEqual({ ...answer.body, position: conflict.position })
    expect(now.body).toMatchObject({ current: conflict.current, incoming: conflict.incoming })
  })

  it('that asks for a removal: accepting it removes the record', async () => {
    const { dataset, id } = await made('manual', { op: 'delete', data: undefined })
    const { body } = await resolve(service, id, { resolution: 'accept_incoming' })
    expect(await rowAt(dataset, body.position)).toEqual([null, undefined])
    await reopen(service, id)
    const kept = await resolve(service, id, { resolution: 'keep_current' })
    expect(await rowAt(dataset, kept.body.position)).toEqual([CURRENT, 4])
  })

  it('is over what the record has become meanwhile, and conflicts with nothing itself', async () => {
    const { dataset, id } = await made('field_merge')
    await pushOne(service, dataset, { id: 'r', data: { a: 50 } })
    const { body } = await resolve(service, id, { resolution: 'accept_incoming' })
    expect(await rowAt(dataset, body.position)).toEqual(['{"a":3,"b":1}', 4])
    expect(await conflictsAt(service, dataset, body.position)).toHaveLength(1)
    // Its record brings the policy along, too: fields merge from the version that it replaced.
    const next = { id: 'r', data: { a: 50, c: 1 }, metadata: { version: 3 } }
    const merged = await recordAt(service, dataset, 'r', await pushOne(service, dataset, next))
    expect(merged!.data).toEqual({ a: 3, b: 1, c: 1 })
  })

  it.each<[string, object | string, string]>([
    ['no resolution', {}, 'resolution'],
    ['an unknown one', { resolution: 'coin_toss' }, 'resolution'],
    ['a merge without data', { resolution: 'merge' }, 'data'],
    ['a merge of no object', { resolution: 'merge', data: [1] }, 'data'],
    ['data that nobody asked for', { resolution: 'accept_incoming', data: {} }, 'data'],
    ['an unknown field', { resolution: 'keep_current', force: true }, 'force'],
    ['data that is too large', { resolution: 'merge', data: { s: 'x'.repeat(4096) } }, 'data'],
    ['data that is too deep', `{"resolution":"merge","data":{"a":${'['.repeat(200)}${']'.repeat(200)}}}`, ''],
    ['no JSON', '{"resolution":', ''],
    ['no object', '["merge"]', 'body'],
  ])('is refused with %s', async (_, body, field) => {
    const { id } = await made()
    const answer = await resolve(service, id, body)
    expect([answer.status, answer.body.error.details[0]?.field ?? '']).toEqual([400, field])
    expect((await call<Conflict>(service, `/conflicts/${id}`)).body.status).toBe('open')
  })

  it('checks merged data as the data set wants it, and transforms it no second time', async () => {
    const settings = {
      schema: { type: 'object', properties: { a: { type: 'number' } } },
      transformations: [{ type: 'compute', config: { field: 'b', expression: 'b + 1' } }],
    }
    const { dataset, id } = await made('manual', {}, settings)
    const wrong = await resolve(service, id, { resolution: 'merge', data: { a: 'x' } })
    expect([wrong.status, wrong.body.error.details[0]!.field]).toEqual([400, '/a'])
    const { body } = await resolve(service, id, { resolution: 'merge', data: { a: 5, b: 5 } })
    expect(await rowAt(dataset, body.position)).toEqual(['{"a":5,"b":5}', 3])
  })

  it('is for those who may, of what there is', async () => {
    const { id } = await made()
    const { access_token: token } = await tokenFor(service, 'sync:read')
    const reader = { ...service, token }
    expect((await resolve(reader, id, { resolution: 'keep_current' })).status).toBe(403)
    expect((await reopen(reader, id)).status).toBe(403)
    expect((await resolve(service, 'conf_x', { resolution: 'keep_current' })).status).toBe(404)
    expect((await reopen(service, 'conf_x')).status).toBe(404)
  })
})

describe('a decision that is decided again', () => {
  it('is refused while it stands, naming the state and what was asked', async () => {
    const { id } = await made()
    const early = await reopen(service, id)
    expect([early.status, early.body.error.code]).toEqual([409, 'CONFLICT'])
    expect(early.body.error.message).toMatch(/is open.*reopened/)
    await resolve(service, id, { resolution: 'keep_current' })
    const again = await resolve(service, id, { resolution: 'accept_incoming' })
    expect([again.status, again.body.error.message]).toEqual([409, expect.stringMatching(/is resolved.*resolved/)])
  })

  it('can be reopened and decided otherwise; keeping the current side puts it back as it was', async () => {
    const { dataset, id, conflict } = await made()
    await resolve(service, id, { resolution: 'accept_incoming' })
    const opened = await reopen(service, id)
    expect([opened.status, opened.body]).toMatchObject([200, { status: 'open', resolution: null, resolved_by: null }])
    expect(await rowAt(dataset, opened.body.position)).toEqual(['{"a":3,"b":1}', 3])
    const kept = await resolve(service, id, { resolution: 'keep_current' })
    expect(await rowAt(dataset, kept.body.position)).toEqual([CURRENT, 4])
    expect(kept.body).toMatchObject({ status: 'resolved', resolution: 'keep_current', current: conflict.current })
  })

  it('is one of a policy, too', async () => {
    const { dataset, id, conflict } = await made('source_wins')
    expect(conflict).toMatchObject({ status: 'resolved', resolution: 'accept_incoming' })
    expect((await resolve(service, id, { resolution: 'keep_current' })).status).toBe(409)
    await reopen(service, id)
    const { body } = await resolve(service, id, { resolution: 'keep_current' })
    expect(await rowAt(dataset, body.position)).toEqual([CURRENT, 4])
  })

  it('twice at once: one wins, and the other is told', async () => {
    for (let round = 0; round < 5; round++) {
      const { dataset, id } = await made()
      const bodies = ['accept_incoming', 'keep_current'].map(resolution => ({ resolution }))
      const answers = await Promise.all(bodies.map(body => resolve(service, id, body)))
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 409])
      const won = answers.find(({ status }) => status === 200)!.body
      const [data] = await rowAt(dataset, won.position)
      expect(data).toBe(won.resolution === 'accept_incoming' ? '{"a":3,"b":1}' : CURRENT)
      expect((await call<Conflict>(service, `/conflicts/${id}`)).body.resolution).toBe(won.resolution)
    }
  })
})

it('a restart and a rebuild of the read model keep conflicts and decisions', async () => {
  const [open, decided, opened] = [await made(), await made(), await made('source_wins')]
  await resolve(service, decided.id, { resolution: 'merge', data: { a: 7 } })
  await reopen(service, opened.id)
  const all = () =>
    Promise.all([open, decided, opened].map(async ({ id }) => (await call<Conflict>(service, `/conflicts/${id}`)).body))
  const before = await all()
  expect(before.map(({ status }) => status)).toEqual(['open', 'resolved', 'open'])
  const { dataDir } = service
  await service.stop()
  service = await startService({ MAX_LINE_BYTES: '4096' }, { dataDir })
  expect(await all()).toEqual(before)
  // The decider has folded them anew.
  expect((await resolve(service, decided.id, { resolution: 'keep_current' })).status).toBe(409)
  expect((await reopen(service, open.id)).status).toBe(409)
  const { body } = await resolve(service, opened.id, { resolution: 'keep_current' })
  expect(await rowAt(opened.dataset, body.position)).toEqual([CURRENT, 4])
  await service.stop()
  const log = await openLogOf({ dataDir })
  const changes = await readChanges(log)
  expect([...changes.faults, ...(await auditReadModel(log, readModelOf({ dataDir }), changes))]).toEqual([])
  expect(changes.conflicts.size).toBeGreaterThan(3)
  await log.stop()
  service = await startService({ MAX_LINE_BYTES: '4096' }, { dataDir })
})
