import { afterAll, beforeAll, expect, it } from 'vitest'
import { pushLines } from '../kit/api.ts'
import { auditTold, type Changes, readChanges } from '../kit/audit.ts'
import { createClientSubscriber } from '../kit/client-subscriber.ts'
import { createEventSubscriber } from '../kit/event-subscriber.ts'
import { between, LONG, lasting, randomFor } from '../kit/faults.ts'
import { createLedger, DATASETS, HOT } from '../kit/ledger.ts'
import { openLogOf } from '../kit/life.ts'
import { startLoad } from '../kit/load.ts'
import { freePort, until } from '../kit/processes.ts'
import { removeData, type Service, startService, untilProjected } from '../kit/service.ts'
import { createSubscriber, type Subscriber } from '../kit/subscriber.ts'
import { isWanted, someFilters, type Wanted } from '../kit/wanted.ts'

const SECONDS = LONG ? 600 : 15
/** On a busy machine a burst or a start takes long: it goes on until there were so many, for so long at most. */
const KILLS = LONG ? 20 : 2
const LONGEST_SECONDS = SECONDS + 120
const KILL_EVERY_MS = LONG ? 15_000 : 4000
const BURST_EVERY_MS = LONG ? 40_000 : 5000
/** So much that whoever does not read meanwhile cannot be told of it all. */
const BURST = { records: LONG ? 1500 : 4000, text: 4000 }
/** How long all of them may take to be told of the last change. */
const PATIENCE_MS = 60_000
const LOAD = { streams: 1, batches: 1, records: 20, restMs: LONG ? 150 : 60 }

interface Follower {
  readonly kind: string
  readonly wanted: Wanted
  readonly subscriber: Subscriber
}

const random = randomFor('gaps')
const ledger = createLedger(random)
const KINDS: Record<string, (wanted: Wanted) => Subscriber> = {
  ws: createSubscriber,
  events: createEventSubscriber,
  'client, slow socket': wanted => createClientSubscriber(wanted, 'socket'),
  'client, slow loop': wanted => createClientSubscriber(wanted, 'loop'),
}
/** One of each kind is told of everything. */
const followers: Follower[] = Object.entries(KINDS).flatMap(([kind, create]) =>
  [{}, someFilters(random), someFilters(random)].map(wanted => ({ kind, wanted, subscriber: create(wanted) })),
)

/** One of a kind may have had no connection to fall behind on. */
const KINDS_BEHIND = LONG ? Object.keys(KINDS).length - 1 : 1
const kindsBehind = () =>
  new Set(followers.filter(({ subscriber }) => subscriber.resyncs > 0).map(({ kind }) => kind)).size

let service: Service
let stopping = false
/** Those who do not read while a burst comes; nobody else makes them read. */
let slow: Follower[] = []
const env: Record<string, string> = { MAX_SOCKET_BUFFER_BYTES: '65536', RATE_LIMIT_WS: '0' }
beforeAll(async () => {
  env.PORT = String(await freePort())
  service = await startService(env)
})
afterAll(async () => {
  stopping = true
  await Promise.all(followers.map(({ subscriber }) => subscriber.disconnect()))
  await service.stop('SIGKILL')
  removeData(service)
})

/** Connects and, whatever ends the connection, connects again after a while. */
async function follow({ subscriber }: Follower): Promise<void> {
  const again = async () => {
    await lasting(between(random, 0, 300))
    if (!stopping) await subscriber.connect(service, again)
  }
  await subscriber.connect(service, again)
}

/** Cuts connections and keeps others from reading for a while, until it is `over`. */
async function disturb(over: () => boolean): Promise<void> {
  while (!over()) {
    await lasting(between(random, 20, 400))
    const follower = random.pick(followers)
    const { subscriber } = follower
    if (random.chance(0.5)) {
      subscriber.cut()
      continue
    }
    subscriber.pause()
    await lasting(between(random, 0, 300))
    if (!slow.includes(follower)) subscriber.resume()
  }
}

/** Some do not read, among them one of each kind that is told of everything, while more comes than waits for them. */
async function burst(number: number): Promise<void> {
  slow = followers.filter(({ wanted }) => Object.keys(wanted).length === 0 || random.chance(0.3))
  for (const { subscriber } of slow) subscriber.pause()
  const data = { text: 'x'.repeat(BURST.text) }
  const line = (n: number) =>
    `${JSON.stringify({ id: `burst-${number}-${n}`, dataset: random.pick(DATASETS), data })}\n`
  const { body } = await pushLines(
    service,
    'source=bursts',
    Array.from({ length: BURST.records }, (_, n) => line(n)).join(''),
  )
  await untilProjected(service, body.position)
  for (const { subscriber } of slow.splice(0)) subscriber.resume()
}

/** Every filter lets some of this through, which comes last: who was told it has been told, or not, of all that was before. */
async function touchEverything(): Promise<void> {
  const all = DATASETS.flatMap(dataset => Array.from({ length: HOT }, (_, n) => ({ dataset, id: `hot-${n + 1}` })))
  const data = (last: number) => ({ push: last, exact: last, text: `last ${last}`, hot: last === 1 })
  const lines = all.flatMap(key => [
    { ...key, data: data(1) },
    { ...key, data: data(2) },
    { ...key, op: 'delete', data: {} },
  ])
  const { body } = await pushLines(service, 'source=last', lines.map(line => `${JSON.stringify(line)}\n`).join(''))
  expect(body.accepted).toBe(lines.length)
  await untilProjected(service, body.position)
}

function changesFor({ wanted }: Follower, changes: Changes): Changes {
  const once = new Map([...changes.once].filter(([, { change }]) => isWanted(wanted, change)))
  return { ...changes, once, faults: [] }
}

it(
  `${SECONDS} s of lost connections, slow readers and kill -9: every subscriber is told of every change once, in order`,
  async () => {
    await Promise.all(followers.map(follow))
    const load = startLoad(service, ledger, random, LOAD)
    const began = Date.now()
    let [kills, bursts] = [0, 0]
    /** Without these it says nothing of kills, or of those who are behind. */
    const enough = () => kills >= KILLS && kindsBehind() >= KINDS_BEHIND
    const over = () => Date.now() >= began + (enough() ? SECONDS : LONGEST_SECONDS) * 1000
    const disturbing = disturb(over)
    let [killAt, burstAt] = [Date.now() + KILL_EVERY_MS, Date.now()]
    while (!over()) {
      if (Date.now() >= burstAt) {
        await burst(bursts++)
        burstAt = Date.now() + BURST_EVERY_MS
      }
      if (Date.now() >= killAt) {
        await service.stop('SIGKILL')
        kills++
        service = await startService(env, { dataDir: service.dataDir })
        killAt = Date.now() + KILL_EVERY_MS
      }
      await lasting(50)
    }
    await disturbing
    await load.stop()
    for (const { subscriber } of followers) subscriber.resume()
    await touchEverything()
    const log = await openLogOf(service)
    const changes = await readChanges(log)
    const faults = [...changes.faults]
    const patience = Date.now() + PATIENCE_MS
    for (const follower of followers) {
      const { kind, wanted, subscriber } = follower
      const mine = changesFor(follower, changes)
      const name = `${kind} ${JSON.stringify(wanted)}`
      await until(
        `${name} to be told of ${mine.once.size}`,
        () => subscriber.told.length >= mine.once.size,
        patience - Date.now(),
      ).catch(error => faults.push(`${error.message}: ${subscriber.told.length}`))
      const found = [...auditTold(log, subscriber.told, mine), ...subscriber.errors].map(fault => `${name}: ${fault}`)
      if (found.length > 0) console.log(`${name}\n${subscriber.history.slice(-40).join('\n')}`)
      faults.push(...found)
    }
    await log.stop()
    const resyncs = followers.map(({ kind, subscriber }) => `${kind} ${subscriber.resyncs}`)
    console.log(
      `gaps: ${kills} kills, ${bursts} bursts, ${changes.once.size} changes, ` +
        `told ${followers.map(({ subscriber }) => subscriber.told.length)}, resyncs: ${resyncs.join(', ')}`,
    )
    expect(faults).toEqual([])
    expect(enough()).toBe(true)
  },
  (LONGEST_SECONDS + 300) * 1000,
)
