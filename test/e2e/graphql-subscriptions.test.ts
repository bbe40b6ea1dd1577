import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, metric, pushBatch, tokenFor } from '../kit/api.ts'
import { setPolicy } from '../kit/conflicts.ts'
import { ask, graphql } from '../kit/graphql.ts'
import { type Feed, subscribe } from '../kit/graphql-feed.ts'
import { until } from '../kit/processes.ts'
import { makeJob, plainJob, startJob } from '../kit/pulls.ts'
import type { Source } from '../kit/rows-source.ts'
import { removeData, type Service, startService } from '../kit/service.ts'

let service: Service
beforeAll(async () => {
  service = await startService({ MAX_SOCKETS: '12' })
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

interface Change {
  changes: {
    type: string
    position: string
    dataset: string
    recordId: string
    changes: object
    [more: string]: unknown
  }
}
interface Event {
  events: { position: string; type: string; payload: { id: string } }
}

const CHANGES = `subscription Changes($dataset: String, $since: String) { changes(dataset: $dataset, since: $since) {
  type position timestamp
  ... on RecordChange { dataset recordId operation changes }
  ... on ConflictDetected { conflictId recordId conflictType resolutionRequired }
  ... on ConflictResolved { conflictId resolution } } }`
const EVENTS = `subscription Events($topic: [String!], $key: String, $since: String) {
  events(topic: $topic, key: $key, since: $since) { position type payload } }`

/** A feed that has begun: the service says so before there is anything to tell. */
async function begun<Data>(query: string, variables: object, target: Service = service): Promise<Feed<Data>> {
  const feed = await subscribe<Data>(target, query, variables)
  await until('the feed to have begun', () => feed.text !== '')
  return feed
}

describe('a subscription', () => {
  it('to changes tells what a socket is told, every digit of it, and where it is', async () => {
    const feed = await begun<Change>(CHANGES, { dataset: 'told' })
    expect([feed.status, feed.headers['content-type'], feed.headers['x-request-id']]).toEqual([
      ...[200, 'text/event-stream', expect.stringMatching(/^req_/)],
    ])
    await setPolicy(service, 'told', 'manual')
    const body =
      '{"source":"t","dataset":"told","records":[{"id":"a","data":{"n":{"x":\n12345678901234567890.123456789},"e":1e400}}]}'
    await call(service, '/push/batch', { body, headers: { 'content-type': 'application/json' } })
    await pushBatch(service, 'other', [{ id: 'b', data: {} }])
    await pushBatch(service, 'told', [{ id: 'a', data: { n: 2 } }])
    await pushBatch(service, 'told', [{ id: 'a', data: { n: 3 }, metadata: { version: 1 } }])
    const { data } = await feed.next(({ data }) => data?.changes.type === 'conflict_detected')
    expect(feed.text).toContain(
      '"changes":{"n":{"old":null,"new":{"x": 12345678901234567890.123456789}},"e":{"old":null,"new":1e400}}',
    )
    expect(feed.results.map(({ data }) => data!.changes)).toMatchObject([
      { type: 'record_change', dataset: 'told', recordId: 'a', operation: 'create' },
      { type: 'record_change', operation: 'update' },
      { type: 'conflict_detected', recordId: 'a', conflictType: 'version', resolutionRequired: true },
    ])
    const { conflictId } = data!.changes
    await ask(service, `mutation { resolveConflict(id: "${conflictId}", resolution: accept_incoming) { id } }`)
    const resolved = await feed.next(({ data }) => data?.changes.type === 'conflict_resolved')
    expect(resolved.data!.changes).toMatchObject({ conflictId, resolution: 'accept_incoming' })
    feed.close()
  })

  it('to events gives them as the history has them, and what happened since a place', async () => {
    const { position } = await ask<{ position: string }>(service, '{ position }')
    const first = (await pushBatch(service, 'history', [{ id: 'e0', data: {} }])).body.position
    const feed = await begun<Event>(EVENTS, { topic: 'sync.records', since: position })
    await pushBatch(service, 'history', [{ id: 'e1', data: { n: 1 } }])
    await feed.next(({ data }) => data?.events.payload.id === 'e1')
    const { items } = (await call<{ items: object[] }>(service, `/events?topic=sync.records&from=${position}`)).body
    expect(feed.results.map(({ data }) => data!.events)).toMatchObject(
      items.map(item => {
        const { position, type, payload } = item as Event['events']
        return { position, type, payload }
      }),
    )
    feed.close()
    const byKey = await begun<Event>(EVENTS, {
      topic: ['sync.records', 'sync.changes'],
      key: 'history\u0000e1',
      since: first,
    })
    await byKey.next(({ data }) => data?.events.type === 'RecordChanged')
    expect(byKey.results.map(({ data }) => data!.events.type)).toEqual(['RecordPushed', 'RecordChanged'])
    byKey.close()
    const fresh = await begun<Event>(EVENTS, { topic: 'sync.records' })
    await pushBatch(service, 'history', [{ id: 'e2', data: { n: 1 } }])
    await fresh.next(({ data }) => data?.events.payload.id === 'e2')
    expect(fresh.results).toHaveLength(1)
    fresh.close()
  })

  it.each([
    ['changes', CHANGES, { dataset: 'gapless' }, ({ data }: { data?: Change | null }) => data?.changes.recordId],
    ['events', EVENTS, { topic: 'sync.records' }, ({ data }: { data?: Event | null }) => data?.events.payload.id],
  ] as const)(
    'to %s goes on after its last position over many connections, without a gap or a repeat',
    async (field, query, variables, idOf) => {
      const { position: start } = await ask<{ position: string }>(service, '{ position }')
      const wanted = Array.from({ length: 40 }, (_, push) =>
        Array.from({ length: 50 }, (_, n) => `${field}-${push}-${n}`),
      )
      const writing = (async () => {
        for (const ids of wanted)
          await pushBatch(
            service,
            'gapless',
            ids.map(id => ({ id, data: { n: 1 } })),
          )
      })()
      const told: (string | undefined)[] = []
      let since = start
      let connections = 0
      while (told.at(-1) !== wanted.at(-1)!.at(-1)) {
        const feed = await subscribe<never>(service, query, { ...variables, since })
        connections++
        const some = told.length + 150
        await until('some results', () => told.length + feed.results.length >= Math.min(some, 2000))
        feed.close()
        await feed.closed
        expect(feed.results.flatMap(({ errors }) => errors ?? [])).toEqual([])
        told.push(...feed.results.map(result => (idOf as (result: object) => string)(result)))
        since = (Object.values(feed.results.at(-1)!.data!)[0] as { position: string }).position
      }
      await writing
      expect(connections).toBeGreaterThan(1)
      expect(told).toEqual(wanted.flat())
    },
  )

  it('to a job tells how it is getting on', async () => {
    const { id } = await makeJob(service, plainJob({ url: 'http://127.0.0.1:1' } as Source, { name: 'watched' }))
    const query = 'subscription Job($id: ID!) { jobProgress(id: $id) { type ... on JobStatus { jobId status } } }'
    const feed = await begun<{ jobProgress: { status: string } }>(query, { id })
    await startJob(service, id)
    await feed.next(({ data }) => data?.jobProgress.status === 'failed')
    expect(feed.results.map(({ data }) => data!.jobProgress)).toEqual(
      ['pending', 'running', 'failed'].map(status => ({ type: 'job_status', jobId: id, status })),
    )
    feed.close()
  })
})

describe('what is wrong with a subscription', () => {
  it.each([
    ['a topic that is none', EVENTS, { topic: 'no' }, 'VALIDATION_ERROR', 'topic'],
    ['a since that is none', EVENTS, { since: 'yesterday' }, 'VALIDATION_ERROR', 'since'],
    ['a since that is still to come', EVENTS, { since: '2999-01-01' }, 'VALIDATION_ERROR', 'since'],
    ['a since of changes that is none', CHANGES, { since: 'yesterday' }, 'VALIDATION_ERROR', 'since'],
    [
      'a list that is none',
      'subscription { changes(recordIds: []) { position } }',
      {},
      'VALIDATION_ERROR',
      'recordIds',
    ],
  ])('is said: %s', async (_, query, variables, code, field) => {
    const json = await graphql(service, query, variables, { headers: { accept: 'application/json' } })
    expect(json.body.errors?.map(({ extensions }) => [extensions.code, extensions.details[0]?.field])).toEqual([
      [code, field],
    ])
    const feed = await subscribe(service, query, variables)
    expect(await feed.closed).toBe('ended')
    expect(feed.results.map(({ errors }) => errors![0]!.extensions.code)).toEqual([code])
    expect(feed.complete).toBe(true)
  })

  it('and where to go on when its position is of another log', async () => {
    const feed = await subscribe(service, CHANGES, { since: '00000000~log.1' })
    expect(await feed.closed).toBe('ended')
    const { extensions } = feed.results[0]!.errors![0]!
    expect(extensions).toMatchObject({
      code: 'VALIDATION_ERROR',
      resync_required: { code: 'other_log', from: expect.stringContaining('~') },
    })
  })

  it('is 401 without a token, 403 for what only admins see, 406 for who takes no stream', async () => {
    const none = await graphql(service, EVENTS, {}, { as: null })
    expect(none.status).toBe(401)
    const { access_token } = await tokenFor(service, 'sync:read')
    const hidden = await graphql(service, EVENTS, { topic: 'sync.access' }, { as: access_token })
    expect(hidden.body.errors?.map(({ extensions }) => extensions.code)).toEqual(['FORBIDDEN'])
    const json = await graphql(service, CHANGES, {}, { headers: { accept: 'application/json' } })
    expect([json.status, json.headers.get('accept')]).toEqual([406, expect.stringContaining('text/event-stream')])
  })

  it('is 503 when so many are connected as may, and nothing is kept of who went', async () => {
    const feeds: Feed<unknown>[] = []
    for (let n = 0; n < 12; n++) feeds.push(await begun(n % 2 ? EVENTS : CHANGES, {}))
    const { status, body, headers } = await graphql(service, CHANGES, {})
    expect([status, body.errors?.[0]?.extensions.code, headers.get('retry-after')]).toEqual([503, 'UNAVAILABLE', '10'])
    for (const feed of feeds) feed.close()
    for (const name of ['sync_sse_connections', 'sync_websocket_subscriptions'])
      await until(`${name} to be 0`, async () => (await metric(service, name)) === 0)
    const again = await begun(CHANGES, {})
    again.close()
  })
})

describe('the end of a subscription', () => {
  it('comes with that of its token', async () => {
    const { access_token: token } = await tokenFor(service, 'sync:read')
    const own = { ...service, token }
    const feeds = [await begun(CHANGES, {}, own), await begun(EVENTS, {}, own)]
    await call(service, '/auth/revoke', { body: { token } })
    for (const feed of feeds) {
      expect(await feed.closed).toBe('ended')
      expect(feed.results.at(-1)!.errors![0]!.extensions.code).toBe('UNAUTHORIZED')
      expect(feed.complete).toBe(true)
    }
  })

  it('comes with a stop of the service, which waits for nobody', async () => {
    const own = await startService()
    const feeds = [await begun(CHANGES, {}, own), await begun(EVENTS, {}, own)]
    await own.stop()
    for (const feed of feeds) expect(await feed.closed).toBe('ended')
    removeData(own)
  })
})
