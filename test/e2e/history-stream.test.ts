import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { call, metric, pushBatch, pushLines, tokenFor } from '../kit/api.ts'
import { lasting } from '../kit/faults.ts'
import { type HistoryEvent, listenToHistory, readHistory } from '../kit/history-listener.ts'
import { type Broker, startBroker } from '../kit/kafka.ts'
import { openLogAt } from '../kit/logs.ts'
import { until } from '../kit/processes.ts'
import { retain } from '../kit/retention.ts'
import { removeData, type Service, startService, untilProjected } from '../kit/service.ts'

const kafka = inject('kafka')
const RECORDS = 40

const lines = (count: number, from = 0, text = '') =>
  Array.from({ length: count }, (_, n) => JSON.stringify({ id: `r${from + n}`, data: { n: from + n, text } })).join(
    '\n',
  )

const places = (events: readonly HistoryEvent[]) => events.map(({ position }) => position)
const ids = (events: readonly HistoryEvent[]) => events.map(({ id }) => id)

describe.each(['the embedded log', 'Kafka'])('the history as an event stream, on %s', where => {
  const possible = where !== 'Kafka' || kafka
  let broker: Broker | undefined
  let service: Service
  let past: string
  beforeAll(async () => {
    if (!possible) return
    broker = where === 'Kafka' ? await startBroker() : undefined
    const env = broker && { KAFKA_BROKERS: broker.brokers, SCHEMA_REGISTRY_URL: kafka!.registryUrl }
    service = await startService({ ...env, MAX_HISTORY_FOLLOWERS: '4', TOKEN_SECONDS: '3600' })
    past = (await pushLines(service, 'dataset=past', lines(RECORDS))).body.position
    await untilProjected(service, past)
  })
  afterAll(async () => {
    await service?.stop()
    if (service) removeData(service)
    await broker?.stop()
  })

  it.skipIf(!possible)(
    'is the past and then what comes, without a gap or a repeat, wherever it is resumed',
    async () => {
      const query = 'topic=sync.records,sync.changes,sync.rejected'
      const listener = await listenToHistory(service, query)
      await listener.untilTold(2 * RECORDS)
      for (let n = 0; n < 50; n++) await pushLines(service, 'dataset=live', lines(5, n * 5))
      await pushBatch(service, 'live', [{ data: {} }])
      const told = await listener.untilTold(2 * RECORDS + 501)
      const whole = await readHistory(service, query)
      // By arrival on Kafka, where the past is told by time; the same events once each, and each stream in its own order.
      expect(ids(told).sort()).toEqual(ids(whole).sort())
      for (const key of new Set(whole.map(event => event.key))) {
        const of = (events: readonly HistoryEvent[]) => ids(events.filter(event => event.key === key))
        expect(of(told)).toEqual(of(whole))
      }
      listener.close()
      for (const at of [0, 50, 2 * RECORDS + 3, told.length - 1]) {
        const headers = { 'last-event-id': told[at]!.position }
        const resumed = await listenToHistory(service, `${query}&from=2999-01-01`, { headers })
        const rest = await resumed.untilTold(told.length - 1 - at)
        expect(ids(rest).sort()).toEqual(ids(told.slice(at + 1)).sort())
        resumed.close()
      }
    },
  )

  it.skipIf(!possible)('ends where `to` and `limit` say, also when that is still to come', async () => {
    const whole = await readHistory(service, 'topic=sync.records')
    const { position } = whole[9]!
    const bounded = await listenToHistory(service, `topic=sync.records&to=${position}`)
    expect([await bounded.closed, ids(bounded.told())]).toEqual(['ended', ids(whole.slice(0, 10))])
    const some = await listenToHistory(service, `topic=sync.records&from=${position}&limit=5`)
    expect([await some.closed, ids(some.told())]).toEqual(['ended', ids(whole.slice(10, 15))])
    const ahead = new Date(Date.now() + 3000).toISOString()
    const timed = await listenToHistory(service, `topic=sync.records&from=${whole.at(-1)!.position}&to=${ahead}`)
    await pushBatch(service, 'timed', [{ id: 'a', data: {} }])
    expect([await timed.closed, timed.told().map(({ key }) => key)]).toEqual(['ended', ['timed\0a']])
  })

  it.skipIf(!possible)('has the same filters, and says how far it is where nothing is for it', async () => {
    const listener = await listenToHistory(service, 'topic=sync.records&key=picked%00x&type=RecordPushed')
    await pushBatch(service, 'picked', [{ id: 'x', data: {} }])
    await listener.untilTold(1)
    const last = (await pushBatch(service, 'picked', [{ id: 'y', data: {} }])).body.position
    const [, place] = await until('its place', () => /\n\nid: (\S+)\n\n$/.exec(listener.text) ?? undefined)
    expect(await readHistory(service, `topic=sync.records&from=${place}&to=${last}`)).toEqual([])
    listener.close()
  })

  it.skipIf(!possible)('is followed by so many as may, who leave room when they go', async () => {
    const open = await Promise.all(Array.from({ length: 4 }, () => listenToHistory(service, 'topic=sync.jobs')))
    expect(open.map(({ status }) => status)).toEqual([200, 200, 200, 200])
    expect(await metric(service, 'sync_sse_connections')).toBe(4)
    expect((await listenToHistory(service, 'topic=sync.jobs')).status).toBe(503)
    for (const each of open) each.close()
    await until('all to be forgotten', async () => (await metric(service, 'sync_sse_connections')) === 0)
    const next = await listenToHistory(service, 'topic=sync.jobs')
    expect(next.status).toBe(200)
    next.close()
  })

  it.skipIf(!possible)('ends with its credential', async () => {
    const body = { name: 'brief', permissions: ['sync:read'] }
    const { key, id } = (await call<{ key: string; id: string }>(service, '/api-keys', { body })).body
    const listener = await listenToHistory(service, 'topic=sync.jobs', { as: null, headers: { 'x-api-key': key } })
    expect(listener.status).toBe(200)
    await call(service, `/api-keys/${id}`, { method: 'DELETE' })
    expect(await listener.closed).toBe('ended')
    expect(listener.others()).toMatchObject([{ name: 'problem', data: { error: { code: 'UNAUTHORIZED' } } }])
  })

  it.skipIf(!possible)('takes a token in the query, and is refused as every request is', async () => {
    const query = await listenToHistory(service, `topic=sync.jobs&token=${service.token}`, { as: null })
    expect(query.status).toBe(200)
    query.close()
    expect((await listenToHistory(service, 'topic=sync.jobs', { as: null })).status).toBe(401)
    const { access_token: as } = await tokenFor(service, 'sync:read')
    expect((await listenToHistory(service, 'topic=sync.access', { as })).status).toBe(403)
  })

  it.skipIf(!possible).each([
    ['topic=sync.records&from=yesterday', {}, 'from'],
    ['topic=sync.records&cursor=yesterday', {}, 'cursor'],
    ['topic=sync.records&from=2026-01-02&to=2026-01-01', {}, 'from'],
    ['topic=sync.records&from=2999-01-01', {}, 'from'],
    ['topic=sync.records', { 'last-event-id': '2999-01-01' }, 'Last-Event-ID'],
    ['topic=sync.records', { 'last-event-id': 'yesterday' }, 'Last-Event-ID'],
    ['topic=sync.records', { 'last-event-id': 'zzzzzzzz~log.1' }, 'Last-Event-ID'],
  ])('refuses %s with %j', async (query, headers, field) => {
    const answer = await call(service, `/events?${query}`, { headers: { accept: 'text/event-stream', ...headers } })
    expect([answer.status, answer.body.error.details[0]?.field]).toEqual([400, field])
  })

  it.skipIf(!possible)(
    'waits for a reader that stops, in constant memory, and ends when the service does',
    async () => {
      const { position } = (await pushLines(service, 'dataset=slow', lines(20_000, 0, 'x'.repeat(2000)))).body
      await untilProjected(service, position)
      const query = `topic=sync.records&from=${past}`
      const slow = await listenToHistory(service, query)
      slow.pause()
      await lasting(1000)
      const before = service.peakMb()
      const more = await Promise.all([1, 2, 3].map(() => listenToHistory(service, query)))
      for (const each of more) each.pause()
      await lasting(2000)
      // 40 MB wait for each of them.
      expect(service.peakMb() - before).toBeLessThan(60)
      slow.resume()
      const wanted = await readHistory(service, `${query}&to=${position}`)
      expect(ids(await slow.untilTold(wanted.length, 60_000)).sort()).toEqual(ids(wanted).sort())
      expect(await service.stop()).toBe(0)
      expect(await slow.closed).toBe('ended')
      for (const each of more) each.close()
    },
  )
})

it('tells whoever comes back too late, or is overtaken by retention, that events are missing and where to go on', async () => {
  const own = await startService()
  const retained = async () => {
    const log = await openLogAt(`embedded:${join(own.dataDir, 'log.db')}`)
    await retain(log, 'sync.changes')
    await log.stop()
  }
  try {
    const first = (await pushLines(own, 'dataset=kept', lines(3))).body.position
    await untilProjected(own, first)
    const [event] = await readHistory(own, 'topic=sync.changes')
    const much = (await pushLines(own, 'dataset=kept', lines(20_000, 0, 'x'.repeat(2000)))).body.position
    await untilProjected(own, much)
    const slow = await listenToHistory(own, 'topic=sync.changes')
    await slow.untilTold(1)
    slow.pause()
    // Until what is between the two is full.
    await lasting(1000)
    await retained()
    slow.resume()
    expect(await slow.closed).toBe('ended')
    const told = slow.told()
    expect(told.length).toBeLessThan(20_003)
    const [resync] = slow.others()
    expect(resync).toMatchObject({ name: 'resync_required', data: { from: told.at(-1)!.position } })
    expect(resync!.id).toBe(resync!.data.position)

    const late = await listenToHistory(own, 'topic=sync.changes', { headers: { 'last-event-id': event!.position } })
    expect([late.status, await late.closed, places(late.told())]).toEqual([200, 'ended', []])
    expect(late.others()).toMatchObject([{ name: 'resync_required', id: resync!.id, data: { from: event!.position } }])
    expect((await listenToHistory(own, `topic=sync.changes&from=${event!.position}`)).status).toBe(410)
    const on = await listenToHistory(own, 'topic=sync.changes', { headers: { 'last-event-id': resync!.id! } })
    await pushLines(own, 'dataset=after', lines(1))
    expect((await on.untilTold(1)).map(({ key }) => key)).toEqual(['after\0r0'])
    on.close()
  } finally {
    await own.stop()
    removeData(own)
  }
})
