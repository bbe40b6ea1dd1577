import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { pushBatch, pushLines, type Target } from '../kit/api.ts'
import { until } from '../kit/processes.ts'
import { removeData, type Service, startService } from '../kit/service.ts'
import { type Listener, listen, type Message } from '../kit/sockets.ts'
import { openValve, type Valve } from '../kit/valve.ts'

let service: Service
/** Another one, whose buffers a test can fill. */
let tight: Service
beforeAll(async () => {
  ;[service, tight] = await Promise.all([startService(), startService({ MAX_SOCKET_BUFFER_BYTES: '65536' })])
})
afterAll(async () => {
  for (const each of [service, tight]) {
    await each?.stop()
    removeData(each)
  }
})

const open: Listener[] = []
afterEach(() => {
  for (const listener of open.splice(0)) listener.close()
})

async function connected(to: Target = service): Promise<Listener> {
  const listener = await listen(to)
  open.push(listener)
  return listener
}

async function subscribed(payload: object = {}, to: Target = service): Promise<Listener> {
  const listener = await connected(to)
  await listener.subscribe(payload)
  return listener
}

const idsOf = (messages: Message[]) => messages.map(({ payload }) => payload.record_id as string)
const placesOf = (messages: Message[]) => messages.map(({ position }) => position)

function lines(from: number, count: number): string {
  return Array.from({ length: count }, (_, n) => `{"id":"r${from + n}","data":{"n":${from + n}}}\n`).join('')
}

describe('resuming', () => {
  it('goes on after the position of any message, and after that of a push', async () => {
    const filters = { dataset: 'resume' }
    const live = await subscribed({ filters })
    const receipts: string[] = []
    for (let n = 0; n < 10; n++)
      receipts.push((await pushBatch(service, 'resume', [{ id: `r${n}`, data: {} }])).body.position)
    await live.untilChange('r9')
    const all = live.changes()
    expect(placesOf(all)).toEqual(receipts)
    for (let n = 0; n < 10; n++) {
      const listener = await connected()
      const answer = await listener.subscribe({ filters, since: receipts[n] })
      expect(answer.payload).toMatchObject({ recovered: true })
      expect(answer.position).toBe(receipts[n])
      if (n < 9) await listener.untilChange('r9')
      else await listener.subscribe({ filters: { dataset: 'none' } })
      expect(listener.changes()).toEqual(all.slice(n + 1))
    }
    const [log] = receipts[0]!.split('~')
    const fromTheStart = await subscribed({ filters, since: `${log}~` })
    await fromTheStart.untilChange('r9')
    expect(fromTheStart.changes()).toEqual(all)
  })

  it('goes on inside of one push, and with filters', async () => {
    const live = await subscribed({ filters: { dataset: 'inside' } })
    await pushLines(service, 'dataset=inside', lines(0, 100))
    await live.untilChange('r99')
    const since = live.changes()[41]!.position
    const listener = await subscribed({
      since,
      filters: { dataset: 'inside', record_ids: ['r1', 'r41', 'r42', 'r50', 'r99'] },
    })
    await listener.untilChange('r99')
    expect(idsOf(listener.changes())).toEqual(['r42', 'r50', 'r99'])
  })

  it('waits for a receipt that the read model has not reached', async () => {
    const backlog = pushLines(service, 'dataset=backlog', lines(0, 100_000))
    const { position } = (await pushBatch(service, 'ahead', [{ id: 'before', data: {} }])).body
    const listener = await subscribed({ since: position, filters: { dataset: 'ahead' } })
    await pushBatch(service, 'ahead', [{ id: 'after', data: {} }])
    await listener.untilChange('after', 30_000)
    expect(idsOf(listener.changes())).toEqual(['after'])
    expect((await backlog).body.accepted).toBe(100_000)
  })

  it('has no gap and no repeat, from the middle of 5,000 changes while pushes go on', async () => {
    const filters = { dataset: 'busy' }
    const live = await subscribed({ filters })
    for (let n = 0; n < 10; n++) await pushLines(service, 'dataset=busy', lines(n * 500, 500))
    await live.untilChange('r4999')
    let pushing = true
    let pushed = 5000
    const pushers = Array.from({ length: 3 }, async () => {
      while (pushing) {
        pushed += 40
        const { body } = await pushLines(service, 'dataset=busy', lines(pushed - 40, 40))
        expect(body.accepted).toBe(40)
      }
    })
    const resumed: [from: number, listener: Listener][] = []
    const resumeAfter = async (from: number) => {
      resumed.push([from, await subscribed({ filters, since: live.changes()[from]!.position })])
    }
    await Promise.all([2499, 2500, 3000, 3500, 4000, 4500, 4998, 4999].map(resumeAfter))
    // And from the live end, where what is new comes while the subscription is still on its way.
    for (let n = 0; n < 40; n++) await resumeAfter(live.changes().length - 1)
    pushing = false
    await Promise.all(pushers)
    await until('all of it', () => live.changes().length === pushed)
    const ids = idsOf(live.changes())
    expect(ids.slice(0, 5000)).toEqual(Array.from({ length: 5000 }, (_, n) => `r${n}`))
    expect(new Set(ids).size).toBe(pushed)
    const places = placesOf(live.changes())
    for (const [from, listener] of resumed) {
      await listener.untilChange(ids.at(-1)!)
      expect(placesOf(listener.changes())).toEqual(places.slice(from + 1))
      expect(idsOf(listener.changes())).toEqual(ids.slice(from + 1))
      expect(listener.messages.filter(({ type }) => type === 'resync_required')).toEqual([])
    }
  })

  it('has no gap and no repeat when everyone leaves and comes back while pushes go on', async () => {
    const filters = { dataset: 'coming-and-going' }
    let pushed = 0
    let pushing = true
    const pusher = (async () => {
      for (; pushing; pushed++) await pushBatch(service, 'coming-and-going', [{ id: `r${pushed}`, data: {} }])
    })()
    const first = await connected()
    let { position } = await first.subscribe({
      filters,
      since: (await pushBatch(service, 'start', [{ id: 's', data: {} }])).body.position,
    })
    const got: Message[] = []
    for (let round = 0; round < 15; round++) {
      const listener = await subscribed({ filters, since: position })
      await until('a few changes', () => listener.changes().length > 3 + round)
      listener.send('unsubscribe')
      await listener.next('unsubscribed')
      got.push(...listener.changes())
      position = got.at(-1)!.position
      if (round === 0) first.close()
    }
    pushing = false
    await pusher
    const [begin] = got
    const from = Number((begin!.payload.record_id as string).slice(1))
    expect(idsOf(got)).toEqual(got.map((_, n) => `r${from + n}`))
  })

  it('is told to resync when the position belongs to another log', async () => {
    const { position } = (await pushBatch(service, 'here', [{ id: 'a', data: {} }])).body
    const [log] = position.split('~') as [string]
    const listener = await connected()
    listener.send('subscribe', {
      channel: 'sync_updates',
      since: position.replace(log, 'deadbeef'),
      subscription_id: 'old',
    })
    const told = await listener.next('resync_required')
    expect(Object.keys(told.payload).sort()).toEqual(['code', 'from', 'position', 'reason'])
    // From the position that it is given it misses nothing that is new.
    await pushBatch(service, 'here', [{ id: 'b', data: {} }])
    await listener.subscribe({ since: told.payload.from, filters: { dataset: 'here' } })
    await listener.untilChange('b')
  })
})

it('is told to resync when the position lies beyond the end of the log', async () => {
  const { body } = await pushBatch(service, 'beyond', [{ id: 'first', data: {} }])
  const log = body.position!.split('~')[0]
  const client = await connected(service)
  client.send('subscribe', { channel: 'sync_updates', since: `${log}~log.zzzzzz` })
  const told = () => client.messages.find(({ type }) => type === 'resync_required')
  await until('resync_required', () => told() !== undefined)
  const { from } = told()!.payload as { from: string }
  const later = await subscribed({ since: from, filters: { dataset: 'beyond' } })
  await pushBatch(service, 'beyond', [{ id: 'second', data: {} }])
  await later.untilChange('second')
})

describe('a client that does not read', () => {
  const COUNT = 120
  const text = 'x'.repeat(100_000)
  const filters = { dataset: 'slow' }

  let valve: Valve
  beforeAll(async () => {
    valve = await openValve(tight)
  })
  afterEach(() => valve.release())
  afterAll(() => valve.close())

  it('delays nobody, is told what it missed, and gets it from there', async () => {
    const slow = await subscribed({ filters }, valve.target)
    const fast = await subscribed({ filters }, tight)
    valve.hold()
    for (let n = 0; n < COUNT; n++) {
      const { body } = await pushBatch(tight, 'slow', [{ id: `r${n}`, data: { text } }])
      expect(body.accepted).toBe(1)
      // One at a time, so that the one who reads is never far behind.
      await fast.untilChange(`r${n}`)
    }
    const all = Array.from({ length: COUNT + 1 }, (_, n) => `r${n}`)
    // Answers to pings are dropped like messages are, and must not be taken for some.
    slow.ws.ping('not a message')
    slow.ws.ping('{"type":"record_change",')
    await pushBatch(tight, 'slow', [{ id: `r${COUNT}`, data: { text } }])
    await fast.untilChange(`r${COUNT}`)
    expect(idsOf(fast.changes())).toEqual(all)
    expect(fast.messages.some(({ type }) => type === 'resync_required')).toBe(false)

    valve.release()
    const told = await slow.next('resync_required')
    const before = idsOf(slow.changes())
    // More than the buffers of both systems took in, or this test shows nothing.
    expect(before.length).toBeLessThan(all.length)
    expect(before).toEqual(all.slice(0, before.length))
    expect(told.payload.from).toBe(told.payload.position)
    expect(told.payload.reason).toMatch(/slow/)
    const since = slow.messages.length
    await slow.subscribe({ filters, since: told.payload.from })
    await slow.untilChange(`r${COUNT}`)
    expect(slow.messages.slice(since).filter(({ type }) => type === 'resync_required')).toEqual([])
    expect(idsOf(slow.changes())).toEqual(all)
    expect(placesOf(slow.changes())).toEqual(placesOf(fast.changes()))
  })

  /** Waits for so many changes, going on from where it is told when more waited for the client than its buffer holds. */
  async function untilAll(listener: Listener, filters: object, count: number): Promise<void> {
    const resyncs = () => listener.messages.filter(({ type }) => type === 'resync_required')
    for (let told = 0; listener.changes().length < count; ) {
      await until('more', () => resyncs().length > told || listener.changes().length >= count)
      if (resyncs().length === told) return
      told = resyncs().length
      await listener.subscribe({ filters, since: resyncs().at(-1)!.payload.from })
    }
  }

  /** Pushes many large records; `since` is the position before them, `last` that of the last. */
  async function pushLarge(to: Service, dataset: string, count: number) {
    const since = (await pushBatch(to, dataset, [{ id: 'first', data: {} }])).body.position
    const records = Array.from({ length: count }, (_, n) => ({ id: `r${n}`, data: { text } }))
    let last = since
    for (let n = 0; n < count; n += 10) last = (await pushBatch(to, dataset, records.slice(n, n + 10))).body.position
    return { since, last, ids: records.map(({ id }) => id) }
  }

  it('gets all it asked for, when it does not read while it catches up', async () => {
    const filters = { dataset: 'catching-up' }
    const { since, ids } = await pushLarge(tight, 'catching-up', 150)
    const [slow, other] = [await connected(valve.target), await connected(tight)]
    valve.hold()
    slow.send('subscribe', { channel: 'sync_updates', filters, since })
    await other.subscribe({ filters, since })
    await untilAll(other, filters, ids.length)
    valve.release()
    await untilAll(slow, filters, ids.length)
    for (const listener of [slow, other]) expect(idsOf(listener.changes())).toEqual(ids)
    expect(placesOf(slow.changes())).toEqual(placesOf(other.changes()))
  })

  it('misses nothing that comes while it is held up on its way to the live end', async () => {
    const filters = { dataset: 'joining' }
    const { since, last, ids } = await pushLarge(service, 'joining', 120)
    const roomy = await openValve(service)
    const [slow, live] = [await connected(roomy.target), await subscribed({ filters, since: last })]
    // Once one who is live has this, all before it can be read from the log, and what follows comes live.
    await pushBatch(service, 'joining', [{ id: 'mark', data: {} }])
    await live.untilChange('mark')
    roomy.hold()
    slow.send('subscribe', { channel: 'sync_updates', filters, since })
    for (let n = 0; n < 20; n++) await pushBatch(service, 'joining', [{ id: `new${n}`, data: {} }])
    await live.untilChange('new19')
    slow.send('ping')
    roomy.release()
    await slow.untilChange('new19')
    // An answer's position includes what was sent before it, and nothing that is still to come.
    const pong = await slow.next('pong')
    const placeOf = ({ position }: Message) => Number.parseInt(position.split('.').at(-1)!, 36)
    const [before, after] = [slow.messages.slice(0, slow.messages.indexOf(pong)), slow.changes()].map(list =>
      list.map(placeOf),
    )
    expect(placeOf(pong)).toBeGreaterThanOrEqual(Math.max(...before!))
    expect(placeOf(pong)).toBeLessThan(after!.find(place => place > Math.max(...before!))!)
    expect(idsOf(slow.changes())).toEqual([...ids, ...idsOf(live.changes())])
    expect(slow.messages.map(({ type }) => type)).not.toContain('resync_required')
    roomy.close()
  })
})
