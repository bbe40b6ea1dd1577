/** The load client of the live benches, a process of its own: subscribes, pushes, and prints what it saw as one line. */
import { subscribe } from './frames.ts'
import type { LiveJob } from './live.ts'

const job: LiveJob = JSON.parse(process.argv[2]!)
const headers = { authorization: `Bearer ${job.token}`, 'content-type': 'application/json' }
const subscription = { type: 'subscribe', payload: { channel: 'sync_updates', filters: { dataset: job.dataset } } }

async function push(from: number, count: number): Promise<void> {
  const records = Array.from({ length: count }, (_, i) => ({
    id: `r${from + i}`,
    data: { n: from + i, name: 'a name' },
  }))
  const body = JSON.stringify({ source: job.dataset, records })
  const answer = await fetch(`${job.url}/push/batch`, { method: 'POST', headers, body })
  if (answer.status !== 200) throw new Error(await answer.text())
}

async function latency(): Promise<object> {
  const sent = new Map<string, number>()
  const delays: number[] = []
  const subscriber = await subscribe(job.url, job.token, text => {
    const id = /"record_id":"([^"]+)"/.exec(text)?.[1]
    if (id) delays.push(performance.now() - sent.get(id)!)
  })
  subscriber.send(subscription)
  await until(() => subscriber.received >= 1)
  const started = performance.now()
  const pushes: Promise<void>[] = []
  for (let n = 0; n < job.changes; n += job.batch) {
    // Open loop: pushes leave on time whether or not the ones before them are answered.
    const due = started + (n / job.perSecond) * 1000
    while (performance.now() < due) await new Promise(resolve => setTimeout(resolve, 1))
    for (let i = 0; i < job.batch; i++) sent.set(`r${n + i}`, performance.now())
    pushes.push(push(n, job.batch))
  }
  await Promise.all(pushes)
  await until(() => delays.length >= job.changes)
  delays.sort((a, b) => a - b)
  const at = (share: number) => delays[Math.min(delays.length - 1, Math.floor(delays.length * share))]!
  return { p50_ms: at(0.5), p99_ms: at(0.99), max_ms: at(1) }
}

async function fanout(): Promise<object> {
  const subscribers = await Promise.all(Array.from({ length: job.subscribers }, () => subscribe(job.url, job.token)))
  for (const subscriber of subscribers) subscriber.send(subscription)
  await until(() => subscribers.every(({ received }) => received >= 1))
  process.stdout.write('{"ready":true}\n')
  await new Promise(resolve => process.stdin.once('data', resolve))
  const started = performance.now()
  for (let n = 0; n < job.changes; n += job.batch) await push(n, job.batch)
  await until(() => subscribers.every(({ received }) => received > job.changes))
  return { seconds: (performance.now() - started) / 1000, deliveries: job.changes * job.subscribers }
}

async function until(check: () => boolean): Promise<void> {
  const end = performance.now() + 120_000
  while (!check()) {
    if (performance.now() > end) throw new Error('the messages did not all come within 120 s')
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

console.log(JSON.stringify({ result: await (job.subscribers > 0 ? fanout() : latency()) }))
process.exit(0)
