/** The load client of the live benches, a process of its own: subscribes, pushes, and prints what it saw as one line. */
import { createInterface } from 'node:readline'
import { type Subscriber, subscribe } from './frames.ts'
import type { LiveJob } from './live-load.ts'

const job: LiveJob = JSON.parse(process.argv[2]!)
const headers = { authorization: `Bearer ${job.token}`, 'content-type': 'application/json' }
const CONNECTING_AT_ONCE = 100
/** What fills the buffers of those who do not read. */
const FILL = { everyMs: 100, text: 'x'.repeat(65_536) }

const told = createInterface({ input: process.stdin })[Symbol.asyncIterator]()

/** Says that it is ready, and waits until it is to begin; the second time, until it is to end. */
async function wait(ready: boolean): Promise<void> {
  if (ready) process.stdout.write('{"ready":true}\n')
  await told.next()
}

function subscription(dataset: string, more: object = {}, since?: string): object {
  return { type: 'subscribe', payload: { channel: 'sync_updates', filters: { dataset, ...more }, since } }
}

async function push(dataset: string, records: object[]): Promise<void> {
  const body = JSON.stringify({ source: dataset, records })
  const answer = await fetch(`${job.url}/push/batch`, { method: 'POST', headers, body })
  if (answer.status !== 200) throw new Error(await answer.text())
}

function records(from: number, count: number): object[] {
  return Array.from({ length: count }, (_, i) => ({ id: `r${from + i}`, data: { n: from + i, name: 'a name' } }))
}

async function connectAll(count: number): Promise<Subscriber[]> {
  const all: Subscriber[] = []
  while (all.length < count) {
    const some = Array.from({ length: Math.min(CONNECTING_AT_ONCE, count - all.length) }, () =>
      subscribe(job.url, job.token),
    )
    all.push(...(await Promise.all(some)))
  }
  return all
}

/** Measures until it has sent `changes`, or is told to end. */
async function latency({ changes, batch, perSecond, dataset }: LiveJob & { does: 'latency' }): Promise<object> {
  const sent = new Map<string, number>()
  const delays: number[] = []
  const subscriber = await subscribe(job.url, job.token, text => {
    const id = /"record_id":"([^"]+)"/.exec(text)?.[1]
    if (id) delays.push(performance.now() - sent.get(id)!)
  })
  subscriber.send(subscription(dataset))
  await until(() => subscriber.received >= 1)
  await wait(true)
  let ended = false
  void wait(false).then(() => {
    ended = true
  })
  const started = performance.now()
  const pushes: Promise<void>[] = []
  let n = 0
  for (; n < changes && !ended; n += batch) {
    // Open loop: pushes leave on time whether or not the ones before them are answered.
    const due = started + (n / perSecond) * 1000
    while (performance.now() < due) await new Promise(resolve => setTimeout(resolve, 1))
    for (let i = 0; i < batch; i++) sent.set(`r${n + i}`, performance.now())
    pushes.push(push(dataset, records(n, batch)))
  }
  await Promise.all(pushes)
  await until(() => delays.length >= n)
  delays.sort((a, b) => a - b)
  const at = (share: number) => delays[Math.min(delays.length - 1, Math.floor(delays.length * share))]!
  return { p50_ms: at(0.5), p99_ms: at(0.99), max_ms: at(1), measured: n }
}

async function fanout({ changes, batch, dataset, ...asked }: LiveJob & { does: 'fanout' }): Promise<object> {
  const subscribers = await connectAll(asked.subscribers)
  for (const [n, subscriber] of subscribers.entries()) {
    const one = asked.filters > 1 ? { fields: ['n', `other${n % asked.filters}`] } : {}
    subscriber.send(subscription(dataset, one))
  }
  await until(() => subscribers.every(({ received }) => received >= 1))
  await wait(true)
  const started = performance.now()
  for (let n = 0; n < changes; n += batch) await push(dataset, records(n, batch))
  await until(() => subscribers.every(({ received }) => received > changes))
  return { seconds: (performance.now() - started) / 1000, deliveries: changes * asked.subscribers }
}

async function catchUp({ changes, dataset, since, subscribers }: LiveJob & { does: 'catch-up' }): Promise<object> {
  const all = await connectAll(subscribers)
  await wait(true)
  const started = performance.now()
  for (const subscriber of all) subscriber.send(subscription(dataset, {}, since))
  await until(() => all.every(({ received }) => received >= changes + 1))
  const seconds = (performance.now() - started) / 1000
  const wrong = all.find(({ received }) => received !== changes + 1)
  if (wrong) throw new Error(`${wrong.received} messages came where ${changes + 1} were to come`)
  return { seconds }
}

async function idle({ subscribers, slow, dataset }: LiveJob & { does: 'idle' }): Promise<object> {
  const all = await connectAll(subscribers)
  for (const subscriber of all) subscriber.send(subscription(`${dataset}-none`))
  await until(() => all.every(({ received }) => received >= 1))
  const deaf = await connectAll(slow)
  for (const subscriber of deaf) {
    subscriber.send(subscription(dataset))
    subscriber.send(subscription(`${dataset}-fill`))
    subscriber.pause()
  }
  await wait(true)
  const filling = setInterval(() => {
    if (slow > 0) void push(`${dataset}-fill`, [{ id: `${performance.now()}`, data: { text: FILL.text } }])
  }, FILL.everyMs)
  await wait(false)
  clearInterval(filling)
  return { sockets: all.length }
}

async function until(check: () => boolean): Promise<void> {
  const end = performance.now() + 600_000
  while (!check()) {
    if (performance.now() > end) throw new Error('the messages did not all come within 600 s')
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

function run(): Promise<object> {
  if (job.does === 'latency') return latency(job)
  if (job.does === 'fanout') return fanout(job)
  if (job.does === 'catch-up') return catchUp(job)
  return idle(job)
}

console.log(JSON.stringify({ result: await run() }))
process.exit(0)
