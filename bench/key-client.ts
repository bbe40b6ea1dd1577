/**
 * The load client for small pushes, a process of its own so that its CPU is not counted as the service's: batches of one
 * record, one after the other on each of some connections, each with a key of its own when `keys` names them. Prints one
 * JSON line with how fast they were answered.
 */
import { connect } from 'node:net'
import { recordParts } from './records.ts'

export interface KeyJob {
  url: string
  token: string
  dataset: string
  pushes: number
  connections: number
  /** What the keys begin with; without it pushes have none. */
  keys?: string
}

function request(job: KeyJob, n: number): string {
  const { hostname, pathname } = new URL(job.url)
  const { id, data } = recordParts(n, n)
  const body = `{"dataset":"${job.dataset}","records":[{"id":"${id}","data":${data}}]}`
  const key = job.keys === undefined ? '' : `Idempotency-Key: ${job.keys}-${n}\r\n`
  return (
    `POST ${pathname}/push/batch HTTP/1.1\r\nHost: ${hostname}\r\nAuthorization: Bearer ${job.token}\r\n` +
    `Content-Type: application/json\r\n${key}Content-Length: ${body.length}\r\n\r\n${body}`
  )
}

/** Pushes from, from + step, … and gives back how long each took. */
function pushSome(job: KeyJob, from: number, step: number): Promise<number[]> {
  const { hostname, port } = new URL(job.url)
  const took: number[] = []
  return new Promise((resolve, reject) => {
    let n = from
    let sent = 0
    let answer = ''
    const socket = connect(Number(port), hostname, next)
    function next(): void {
      if (n >= job.pushes) {
        socket.end()
        return resolve(took)
      }
      sent = performance.now()
      socket.write(request(job, n))
      n += step
    }
    socket.on('data', chunk => {
      answer += chunk
      const at = answer.indexOf('\r\n\r\n')
      if (at < 0) return
      const length = Number(/content-length: (\d+)/i.exec(answer)?.[1])
      if (answer.length < at + 4 + length) return
      if (!answer.startsWith('HTTP/1.1 200')) return reject(new Error(answer))
      answer = ''
      took.push(performance.now() - sent)
      next()
    })
    socket.on('error', reject)
  })
}

const job: KeyJob = JSON.parse(process.argv[2]!)
const started = performance.now()
const took = (
  await Promise.all(Array.from({ length: job.connections }, (_, n) => pushSome(job, n, job.connections)))
).flat()
const seconds = (performance.now() - started) / 1000
took.sort((a, b) => a - b)
const percentile = (share: number) => Math.round(took[Math.floor((took.length - 1) * share)]! * 10) / 10
console.log(
  JSON.stringify({
    pushes_per_s: Math.round(took.length / seconds),
    p50_ms: percentile(0.5),
    p99_ms: percentile(0.99),
  }),
)
