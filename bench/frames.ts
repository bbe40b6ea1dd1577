import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'

/**
 * A WebSocket client that does as little as it can, so that many of them fit into a load process: it hands over the
 * text of each message, or only counts them.
 */
export interface Subscriber {
  readonly received: number
  send(message: object): void
  /** Reads nothing any more. */
  pause(): void
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
  const onFrame = (opcode: number, start: number, end: number) => {
    if (opcode === TEXT) {
      received++
      onText?.(pending.toString('utf8', start, end))
    } else if (opcode === PING) {
      socket.write(masked(PONG, pending.subarray(start, end)))
    }
  }
  const take = (chunk: Buffer) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk])
    pending = pending.subarray(eachFrame(pending, onFrame))
  }
  if (rest.length > 0) take(Buffer.alloc(0))
  socket.on('data', take)
  socket.on('error', () => undefined)
  return {
    get received() {
      return received
    },
    send: message => void socket.write(masked(TEXT, Buffer.from(JSON.stringify(message)))),
    pause: () => void socket.pause(),
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

/** Calls `onFrame` for each whole frame (RFC 6455, section 5.2) and gives back where the rest begins; servers do not mask. */
function eachFrame(bytes: Buffer, onFrame: (opcode: number, start: number, end: number) => void): number {
  for (let at = 0; ; ) {
    if (bytes.length < at + 2) return at
    const short = bytes[at + 1]! & 0x7f
    const start = at + (short === 126 ? 4 : short === 127 ? 10 : 2)
    if (bytes.length < start) return at
    const length =
      short === 126 ? bytes.readUInt16BE(at + 2) : short === 127 ? Number(bytes.readBigUInt64BE(at + 2)) : short
    if (bytes.length < start + length) return at
    onFrame(bytes[at]! & 0x0f, start, start + length)
    at = start + length
  }
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
