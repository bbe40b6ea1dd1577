import { connect } from 'node:net'
import { removeData, type Service, startService } from '../test/kit/service.ts'
import type { Bench } from './bench.ts'
import { recordLine } from './records.ts'

const PIECE_RECORDS = 10_000

/** Streams a body of `bytes` bytes over one connection, as fast as it is taken. */
function streamBody(service: Service, bytes: number): Promise<{ accepted: number }> {
  const piece = Buffer.concat(Array.from({ length: PIECE_RECORDS }, (_, n) => Buffer.from(recordLine(n, n))))
  const pieces = Math.ceil(bytes / piece.length)
  const { hostname, port, pathname } = new URL(service.url)
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => {
      socket.write(
        `POST ${pathname}/push/stream?dataset=big HTTP/1.1\r\nHost: ${hostname}\r\nAuthorization: Bearer ${service.token}\r\n` +
          `Content-Type: application/x-ndjson\r\nContent-Length: ${pieces * piece.length}\r\n\r\n`,
      )
      let sent = 0
      const more = () => {
        while (sent < pieces) {
          sent++
          if (!socket.write(piece)) return void socket.once('drain', more)
        }
      }
      more()
    })
    let answer = ''
    socket.on('data', chunk => {
      answer += chunk
      if (!answer.endsWith('}')) return
      socket.end()
      resolve(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)))
    })
    socket.on('error', reject)
  })
}

export const memory: Bench = {
  name: 'memory',
  about: 'the largest the service gets while one body of 1 GB streams in (the read model follows meanwhile)',
  async run() {
    const service = await startService()
    try {
      const idle = service.peakMb()
      const { accepted } = await streamBody(service, 2 ** 30)
      return { peak_mb: Math.round(service.peakMb()), idle_mb: Math.round(idle), accepted }
    } finally {
      await service.stop('SIGKILL')
      removeData(service)
    }
  },
}
