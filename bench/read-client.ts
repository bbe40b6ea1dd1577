/**
 * The load client for reads, a process of its own so that its CPU is not counted as the service's: so many reads a second
 * of records that exist and of pages of them, over some connections, until its input ends. Prints one JSON line with how
 * fast they were answered; a read that fails ends it.
 */
import { Agent, get } from 'node:http'

export interface ReadJob {
  url: string
  token: string
  dataset: string
  /** Ids of records that there are. */
  ids: readonly string[]
  connections: number
  perSecond: number
}

/** One read of ten is of a page. */
const PAGE_EVERY = 10

const job: ReadJob = JSON.parse(process.argv[2]!)
const agent = new Agent({ keepAlive: true, maxSockets: job.connections })
const took: number[] = []
let stopping = false

/** Reads once; resolves with how long it took from when it was to begin, milliseconds. */
function read(n: number, due: number): Promise<number> {
  const records = `${job.url}/datasets/${job.dataset}/records`
  const after = Buffer.from(job.ids[n % job.ids.length]!).toString('base64url')
  const url = n % PAGE_EVERY === 0 ? `${records}?limit=20&cursor=${after}` : `${records}/${job.ids[n % job.ids.length]}`
  return new Promise((resolve, reject) => {
    get(url, { agent, headers: { authorization: `Bearer ${job.token}` } }, answer => {
      if (answer.statusCode !== 200) return reject(new Error(`${url}: ${answer.statusCode}`))
      answer.resume()
      answer.on('end', () => resolve(performance.now() - due))
    }).on('error', reject)
  })
}

/** At its times whatever the answers: one that is late makes those behind it late, and that counts. */
async function connection(first: number): Promise<void> {
  const every = (1000 / job.perSecond) * job.connections
  const began = performance.now()
  for (let n = first, due = began; !stopping; n += job.connections, due += every) {
    const rest = due - performance.now()
    if (rest > 0) await new Promise(resolve => setTimeout(resolve, rest))
    took.push(await read(n * 7919, Math.max(due, began)))
  }
}

process.stdin.on('end', () => {
  stopping = true
})
process.stdin.resume()
await Promise.all(Array.from({ length: job.connections }, (_, n) => connection(n)))
agent.destroy()
took.sort((a, b) => a - b)
const percentile = (share: number) => Math.round(took[Math.floor((took.length - 1) * share)]! * 100) / 100
console.log(JSON.stringify({ reads: took.length, p50_ms: percentile(0.5), p99_ms: percentile(0.99) }))
