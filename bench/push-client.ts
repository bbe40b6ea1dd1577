/**
 * The load client, a process of its own so that its CPU is not counted as the service's: pushes NDJSON records of 92
 * bytes over some connections, whole bodies from memory, and prints one JSON line with what it was answered.
 */
import { connect } from 'node:net'
import { idOf, type PushJob, RECORD_BYTES, recordLine } from './records.ts'

function body(job: PushJob, from: number, count: number): Buffer {
  const buffer = Buffer.alloc(count * RECORD_BYTES)
  for (let i = 0; i < count; i++) {
    const n = from + i
    buffer.write(recordLine(idOf(n, job.keys), n), i * RECORD_BYTES, 'latin1')
  }
  return buffer
}

interface Answered {
  accepted: number
  position: string
}

function push(job: PushJob, bytes: Buffer): Promise<Answered> {
  const { hostname, port, pathname } = new URL(job.url)
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => {
      socket.write(
        `POST ${pathname}/push/stream?dataset=${job.dataset} HTTP/1.1\r\nHost: ${hostname}\r\nAuthorization: Bearer ${job.token}\r\n` +
          `Content-Type: application/x-ndjson\r\nContent-Length: ${bytes.length}\r\n\r\n`,
      )
      socket.write(bytes)
    })
    let answer = ''
    socket.on('data', chunk => {
      answer += chunk
      const at = answer.indexOf('\r\n\r\n')
      if (at < 0) return
      const length = Number(/content-length: (\d+)/i.exec(answer)?.[1])
      if (answer.length < at + 4 + length) return
      socket.end()
      const parsed = JSON.parse(answer.slice(at + 4))
      if (parsed.error) reject(new Error(answer))
      else resolve(parsed)
    })
    socket.on('error', reject)
  })
}

const job: PushJob = JSON.parse(process.argv[2]!)
const share = Math.ceil(job.records / job.connections)
const bodies = Array.from({ length: job.connections }, (_, n) => body(job, n * share, share))
const started = process.hrtime.bigint()
const startedAt = Date.now()
const answers = await Promise.all(bodies.map(bytes => push(job, bytes)))
const seconds = Number(process.hrtime.bigint() - started) / 1e9
const accepted = answers.reduce((sum, answer) => sum + answer.accepted, 0)
console.log(JSON.stringify({ accepted, seconds, startedAt, positions: answers.map(({ position }) => position) }))
