import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'

/**
 * A WebSocket client that does as little as it can, so that many of them fit into a load process: it hands over the
 * text of each message, or only counts them.
 */
export interface Subscriber {
  readonly received: number
  send(message: object): void
  close(): void
}

export async function subscribe(url: string, token: string, onText?: (text: string) => void): Promise<Subscriber> {
  const { hostname, port, pathname } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.setNoDelay(true)
  await new Promise((resolve, reject) => socket.once('connect', () => resolve(undefined)).once('error', reject))
  socket.write(
    `GET ${pathname}/ws?token=${token} HTTP/1.1\r\nHost: ${hostname}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`,
  )
  const rest = await handshake(socket)
  let pending = rest
  let received = 0
  const take = (chunk: Buffer) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk])
    for (let at = 0; ; ) {
      const frame = frameAt(pending, at)
      if (!frame) {
        pending = pending.subarray(at)
        return
      }
      if (frame.opcode === TEXT) {
        received++
        onText?.(pending.toString('utf8', frame.start, frame.end))
      } else if (frame.opcode === PING) {
        socket.write(masked(PONG, pending.subarray(frame.start, frame.end)))
      }
      at = frame.end
    }
  }
  if (rest.length > 0) take(Buffer.alloc(0))
  socket.on('data', take)
  socket.on('error', () => undefined)
  return {
    get received() {
      return received
    },
    send: message => void socket.write(masked(TEXT, Buffer.from(JSON.stringify(message)))),
    close: () => void socket.destroy(),
  }
}

const TEXT = 1
const PING = 9
const PONG = 10

function handshake(socket: Socket): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let head = Buffer.alloc(0)
    const onData = (chunk: Buffer) => {
      head = Buffer.concat([head, chunk])
      const end = head.indexOf('\r\n\r\n')
      if (end < 0) return
      socket.off('data', onData)
      if (head.toString('latin1', 9, 12) !== '101') return reject(new Error(head.toString()))
      resolve(head.subarray(end + 4))
    }
    socket.on('data', onData)
  })
}

/** Where the next whole frame stands (RFC 6455, section 5.2); servers do not mask. */
function frameAt(bytes: Buffer, at: number): { opcode: number; start: number; end: number } | undefined {
  if (bytes.length < at + 2) return undefined
  const short = bytes[at + 1]! & 0x7f
  const start = at + (short === 126 ? 4 : short === 127 ? 10 : 2)
  if (bytes.length < start) return undefined
  const length =
    short === 126 ? bytes.readUInt16BE(at + 2) : short === 127 ? Number(bytes.readBigUInt64BE(at + 2)) : short
  return bytes.length < start + length ? undefined : { opcode: bytes[at]! & 0x0f, start, end: start + length }
}

function masked(opcode: number, payload: Buffer): Buffer {
  const head = payload.length < 126 ? Buffer.from([0x80 | opcode, 0x80 | payload.length]) : Buffer.alloc(4)
  if (payload.length >= 126) {
    head[0] = 0x80 | opcode
    head[1] = 0x80 | 126
    head.writeUInt16BE(payload.length, 2)
  }
  // A mask of zeros is a mask.
  return Buffer.concat([head, Buffer.alloc(4), payload])
}
