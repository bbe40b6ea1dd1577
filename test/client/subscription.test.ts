import { afterEach, beforeEach, expect, it } from 'vitest'
import { connect, type Message, type Status, type SubscribeOptions, type Subscription } from '../../client/src/index.ts'
import { type FakeService, startFakeService } from '../kit/fake-service.ts'
import { until } from '../kit/processes.ts'

let service: FakeService
const subscriptions: Subscription[] = []
beforeEach(async () => {
  service = await startFakeService()
})
afterEach(async () => {
  for (const each of subscriptions.splice(0)) each.close()
  await service.stop()
})

const RETRY = { first: 10, most: 50 }

interface Reading {
  readonly subscription: Subscription
  readonly got: Message[]
  readonly statuses: Status[]
  readonly states: () => string[]
  /** Resolves when the loop is over, with what it threw. */
  readonly over: Promise<unknown>
  token: () => string | Promise<string>
}

let tokens = 0
/** Subscribes and reads everything. */
function read(options: SubscribeOptions = {}, fixed?: string): Reading {
  const [got, statuses]: [Message[], Status[]] = [[], []]
  const reading = { token: () => `token-${++tokens}` }
  const token = fixed ?? (() => reading.token())
  const subscription = connect({ url: service.url, token, retry: RETRY }).subscribe({
    onStatus: status => void statuses.push(status),
    ...options,
  })
  subscriptions.push(subscription)
  const loop = async () => {
    for await (const message of subscription) got.push(message)
  }
  const over = loop().catch(error => error)
  return Object.assign(reading, { subscription, got, statuses, states: () => statuses.map(({ state }) => state), over })
}

const positions = (messages: readonly Message[]) => messages.map(({ position }) => position)
const untilGot = (reading: Reading, count: number) => until(`${count} messages`, () => reading.got.length >= count)

it('subscribes with its filters and gives what it is told, in order', async () => {
  const reading = read({ filters: { dataset: 'd', operations: ['create'] } }, 'fixed')
  const visit = await service.visit(0)
  expect(await visit.heard('subscribe')).toEqual({
    channel: 'sync_updates',
    filters: { dataset: 'd', operations: ['create'] },
  })
  expect(visit.token).toBe('fixed')
  await visit.subscribed('p0')
  visit.change('p1')
  visit.send('job_status', { job_id: 'j', status: 'running' }, 'p1')
  visit.send('pong', {}, 'p1')
  visit.change('p2')
  await untilGot(reading, 3)
  expect(reading.got.map(({ type, position }) => [type, position])).toEqual([
    ['record_change', 'p1'],
    ['job_status', 'p1'],
    ['record_change', 'p2'],
  ])
  expect(reading.subscription.position).toBe('p2')
  expect(reading.states()).toEqual(['connecting', 'live'])
})

it.each([
  ['is cut', undefined],
  ['closes with 1001', 1001],
  ['closes with 1011', 1011],
  ['closes with 4408', 4408],
  ['closes with 4401', 4401],
])('continues after the last message when the connection %s, with a new token', async (_, code) => {
  const reading = read({ since: 'p0' })
  const first = await service.visit(0)
  await first.subscribed('p0', true)
  first.change('p1')
  first.change('p2')
  await untilGot(reading, 2)
  if (code === undefined) first.cut()
  else first.close(code)
  const second = await service.visit(1)
  expect(await second.heard('subscribe')).toMatchObject({ since: 'p2' })
  expect(second.token).not.toBe(first.token)
  await second.subscribed('p2', true)
  // What it says again is not told again.
  for (const position of ['p1', 'p2', 'p3']) second.change(position)
  await untilGot(reading, 3)
  expect(positions(reading.got)).toEqual(['p1', 'p2', 'p3'])
  const states = reading.states().filter(state => state !== 'live')
  expect(states.slice(0, 5)).toEqual(['connecting', 'catching_up', 'waiting', 'connecting', 'catching_up'])
})

it('continues from where it was subscribed when nothing came', async () => {
  read()
  const first = await service.visit(0)
  await first.subscribed('p7')
  first.cut()
  // Whether it has taken the answer in by then shows in what it asks for.
  expect(await (await service.visit(1)).heard('subscribe')).toMatchObject({ since: 'p7' })
})

it('drops news of conflicts that is told again, and only that', async () => {
  const reading = read({ since: 'p0' })
  const first = await service.visit(0)
  await first.subscribed('p0', true)
  const detected = { conflict_id: 'c', record_id: 'r', table: 't', conflict_type: 'version', resolution_required: true }
  const resolved = { conflict_id: 'c', record_id: 'r', table: 't', resolution: 'merge' }
  first.change('p1-')
  first.send('conflict_detected', detected, 'p1')
  first.send('conflict_resolved', resolved, 'p2')
  await untilGot(reading, 3)
  first.cut()
  const second = await service.visit(1)
  await second.subscribed('p2', true)
  second.send('conflict_detected', detected, 'p1')
  second.send('conflict_resolved', resolved, 'p2')
  // News of jobs has the position of what was told before it.
  second.send('job_status', { job_id: 'j', status: 'running' }, 'p2')
  second.send('sync_progress', { job_id: 'j', progress: null, records_processed: 1, records_total: null }, 'p2')
  second.send('conflict_resolved', resolved, 'p3')
  await untilGot(reading, 6)
  expect(reading.got.map(({ type, position }) => [type, position])).toEqual([
    ['record_change', 'p1-'],
    ['conflict_detected', 'p1'],
    ['conflict_resolved', 'p2'],
    ['job_status', 'p2'],
    ['sync_progress', 'p2'],
    ['conflict_resolved', 'p3'],
  ])
})

it('changes of one connection are never taken for repeats', async () => {
  const reading = read({ since: 'p0' })
  const visit = await service.visit(0)
  await visit.subscribed('p0', true)
  for (const position of ['p0', 'p1', 'p1']) visit.change(position)
  await untilGot(reading, 2)
  expect(positions(reading.got)).toEqual(['p1', 'p1'])
})

it.each([4400, 4403, 4413])('gives up with an error when it is closed with %i', async code => {
  const reading = read()
  const visit = await service.visit(0)
  await visit.subscribed('p0')
  visit.change('p1')
  visit.close(code, 'why')
  expect(await reading.over).toMatchObject({ name: 'SyncError', code, message: 'why' })
  // What came before is not lost.
  expect(positions(reading.got)).toEqual(['p1'])
  expect(reading.statuses.at(-1)).toMatchObject({ state: 'closed', error: { code } })
  expect(service.visits.length).toBe(1)
})

it('gives up with an error when a token that is fixed has ended', async () => {
  const reading = read({}, 'fixed')
  await (await service.visit(0)).heard('subscribe')
  service.visits[0]!.close(4401, 'the token has expired or was revoked')
  expect(await reading.over).toMatchObject({ code: 4401, message: /expired or was revoked; give connect a function/ })
})

it('waits a minute when it has said too much', async () => {
  const reading = read()
  await (await service.visit(0)).heard('subscribe')
  service.visits[0]!.close(4429)
  const waiting = await until('it to wait', () => reading.statuses.find(({ state }) => state === 'waiting'))
  expect(waiting).toMatchObject({ ms: 60_000 })
})

it('asks in a message why an upgrade was refused, and gives up when that says so', async () => {
  service.refusals.push(403, 403, 403)
  const reading = read()
  const visit = await service.visit(0)
  expect(visit.token).toBeNull()
  expect(await visit.heard('auth')).toEqual({ token: expect.stringMatching(/^token-/) })
  visit.close(4403, 'this needs the scope sync:read')
  expect(await reading.over).toMatchObject({ code: 4403, message: 'this needs the scope sync:read' })
})

it('goes on trying while upgrades are refused, and subscribes when one is not', async () => {
  service.refusals.push(503, 503, 503, 503)
  const reading = read()
  const visit = await service.visit(0)
  await visit.subscribed('p0')
  await until('it to be live', () => reading.states().at(-1) === 'live')
  expect(reading.states().filter(state => state === 'waiting').length).toBe(4)
})

it('tries again when no token can be had', async () => {
  const reading = read()
  let fails = 2
  reading.token = () => (fails-- > 0 ? Promise.reject(new Error('the issuer is down')) : 'at last')
  expect((await service.visit(0)).token).toBe('at last')
  expect(reading.statuses).toContainEqual(
    expect.objectContaining({ state: 'waiting', reason: 'no token: the issuer is down' }),
  )
})

it('sends a new token in time', async () => {
  read()
  const visit = await service.visit(0)
  await visit.subscribed('p0')
  visit.send('token_expiring', { expires_in: 60 })
  expect(await visit.heard('refresh')).toEqual({ token: expect.stringMatching(/^token-/) })
  visit.send('refreshed', { expires_in: 3600 })
  expect(service.visits.length).toBe(1)
})

it('subscribes again by itself when it was slow, and that is no gap', async () => {
  const reading = read()
  const visit = await service.visit(0)
  await visit.subscribed('p0')
  visit.change('p1')
  // Only the code counts.
  const reason = 'more than 4194304 bytes waited'
  visit.resync('slow', reason, 'p1')
  await until('it to subscribe again', () => visit.said.filter(({ type }) => type === 'subscribe').length === 2)
  expect(await visit.heard('subscribe')).toMatchObject({ since: 'p1' })
  await visit.subscribed('p1', true)
  visit.change('p2')
  await untilGot(reading, 2)
  expect(positions(reading.got)).toEqual(['p1', 'p2'])
  expect(reading.statuses).toContainEqual({ state: 'behind', reason })
})

it.each(['other_log', 'beyond_end', 'not_kept'])('tells of a gap (%s), and goes on after it', async code => {
  const reading = read({ since: 'old~log.9' })
  const visit = await service.visit(0)
  await visit.heard('subscribe')
  const reason = 'the client was slow to come back'
  visit.resync(code, reason, 'new~log.3')
  await until('it to subscribe again', () => visit.said.filter(({ type }) => type === 'subscribe').length === 2)
  expect(await visit.heard('subscribe')).toMatchObject({ since: 'new~log.3' })
  await visit.subscribed('new~log.3', true)
  // In a log that was put back a position stands for something else than before.
  visit.change('old~log.9')
  await untilGot(reading, 2)
  expect(reading.got[0]).toEqual({ type: 'gap', code, reason, position: 'new~log.3' })
  expect(positions(reading.got)).toEqual(['new~log.3', 'old~log.9'])
})

it('gives up when what it asks for is refused, and tries again when the service failed', async () => {
  const failing = read({ since: 'p0' })
  const first = await service.visit(0)
  await first.heard('subscribe')
  first.send('error', { code: 'INTERNAL_ERROR', message: 'something went wrong on our side' })
  const second = await service.visit(1)
  await second.heard('subscribe')
  second.send('error', { code: 'VALIDATION_ERROR', message: 'payload.filters.colour: this field is not known here' })
  expect(await failing.over).toMatchObject({ code: 'VALIDATION_ERROR', message: /colour/ })
})

it('connects again when catching up failed', async () => {
  const reading = read({ since: 'p0' })
  const first = await service.visit(0)
  await first.subscribed('p0', true)
  first.change('p1')
  first.send('error', { code: 'INTERNAL_ERROR', message: 'something went wrong on our side' })
  expect(await (await service.visit(1)).heard('subscribe')).toMatchObject({ since: 'p1' })
  expect(positions(reading.got)).toEqual(['p1'])
})

it('is live again once what comes is new, or nothing comes', async () => {
  const reading = read({ since: 'p0' })
  const visit = await service.visit(0)
  await visit.subscribed('p0', true)
  visit.change('p1', '2025-12-31T23:59:59.999Z')
  await untilGot(reading, 1)
  expect(reading.states()).toEqual(['connecting', 'catching_up'])
  visit.change('p2', '2026-01-01T00:00:00.001Z')
  await until('it to be live', () => reading.states().at(-1) === 'live')
  visit.cut()
  await (await service.visit(1)).subscribed('p2', true)
  await until('it to be live', () => reading.states().at(-1) === 'live')
})
