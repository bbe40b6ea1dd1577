import { connect, createServer, type Socket } from 'node:net'

/** A line to a server, which a test can cut. */
export interface Relay {
  readonly port: number
  /** Cuts every connection there is. */
  cut(): void
  /** Cuts a connection once so many bytes have come from the server over it; the next one, too. Undefined: none. */
  cutAfter(bytes: number | undefined): void
  /** Whether connections are taken. */
  up(isUp: boolean): Promise<void>
  /** How many connections there have been. */
  readonly connections: number
  /** How many sockets are open now. */
  readonly open: number
  close(): Promise<void>
}

export async function openRelay(host: string, port: number): Promise<Relay> {
  const sockets = new Set<Socket>()
  let limit: number | undefined
  let connections = 0
  const server = createServer(client => {
    connections++
    const upstream = connect(port, host)
    let passed = 0
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => sockets.delete(socket))
    }
    upstream.on('data', bytes => {
      passed += bytes.length
      if (limit === undefined || passed <= limit) return
      client.resetAndDestroy()
      upstream.destroy()
    })
    client.pipe(upstream)
    upstream.pipe(client)
    client.on('close', () => upstream.destroy())
    upstream.on('close', () => client.destroy())
  })
  const listen = (on: number) => new Promise<void>(resolve => server.listen(on, '127.0.0.1', resolve))
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  await listen(0)
  const own = (server.address() as { port: number }).port
  const close = () =>
    new Promise<void>(resolve => {
      server.close(() => resolve())
      cut()
    })
  return {
    port: own,
    cut,
    cutAfter(bytes) {
      limit = bytes
    },
    up: isUp => (isUp ? listen(own) : close()),
    get connections() {
      return connections
    },
    get open() {
      return sockets.size
    },
    close,
  }
}
