/**
 * The load client for webhooks, a process of its own so that its CPU is not counted as the service's: deliveries signed by
 * Standard Webhooks, one after the other on each of some connections. Prints one JSON line with how fast they were answered.
 */
import { createHmac } from 'node:crypto'
import { connect } from 'node:net'
import { recordParts } from './records.ts'

export interface WebhookJob {
  url: string
  webhookId: string
  /** The secret as it was given, `whsec_` and base64. */
  secret: string
  deliveries: number
  connections: number
  /** What delivery ids begin with. */
  prefix: string
}

function request(job: WebhookJob, key: Buffer, n: number): string {
  const { hostname, pathname } = new URL(job.url)
  const { id, data } = recordParts(n, n)
  const body = `{"id":"${id}","order":${data}}`
  const delivery = `${job.prefix}${n}`
  const time = Math.floor(Date.now() / 1000)
  const signature = createHmac('sha256', key).update(`${delivery}.${time}.${body}`).digest('base64')
  return (
    `POST ${pathname}/push/webhook/${job.webhookId} HTTP/1.1\r\nHost: ${hostname}\r\nContent-Type: application/json\r\n` +
    `webhook-id: ${delivery}\r\nwebhook-timestamp: ${time}\r\nwebhook-signature: v1,${signature}\r\n` +
    `Content-Length: ${body.length}\r\n\r\n${body}`
  )
}

/** Delivers from, from + step, … and gives back how long each took. */
function deliverSome(job: WebhookJob, key: Buffer, from: number): Promise<number[]> {
  const { hostname, port } = new URL(job.url)
  const took: number[] = []
  return new Promise((resolve, reject) => {
    let n = from
    let sent = 0
    let answer = ''
    const socket = connect(Number(port), hostname, next)
    function next(): void {
      if (n >= job.deliveries) {
        socket.end()
        return resolve(took)
      }
      sent = performance.now()
      socket.write(request(job, key, n))
      n += job.connections
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

const job: WebhookJob = JSON.parse(process.argv[2]!)
const key = Buffer.from(job.secret.replace('whsec_', ''), 'base64')
const started = performance.now()
const took = (await Promise.all(Array.from({ length: job.connections }, (_, n) => deliverSome(job, key, n)))).flat()
const seconds = (performance.now() - started) / 1000
took.sort((a, b) => a - b)
const percentile = (share: number) => Math.round(took[Math.floor((took.length - 1) * share)]! * 10) / 10
console.log(
  JSON.stringify({
    requests_per_s: Math.round(took.length / seconds),
    p50_ms: percentile(0.5),
    p99_ms: percentile(0.99),
  }),
)
