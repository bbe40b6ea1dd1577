import { connect, createServer, type Socket } from 'node:net'
import type { Target } from './api.ts'

/** A line to a service on which a test can hold back what the service sends: to it, a client that does not read. */
export interface Valve {
  readonly target: Target
  hold(): void
  release(): void
  close(): void
}

export function openValve(service: Target): Promise<Valve> {
  const { hostname, port, pathname } = new URL(service.url)
  const sockets = new Set<Socket>()
  const upstreams = new Set<Socket>()
  const server = createServer(client => {
    const upstream = connect(Number(port), hostname)
    upstreams.add(upstream)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
    }
    client.on('data', bytes => upstream.write(bytes))
    upstream.on('data', bytes => client.write(bytes))
    client.on('close', () => upstream.destroy())
    upstream.on('close', () => client.end())
  })
  return new Promise(resolve => {
    server.listen(0, '127.0.0.1', () => {
      const own = (server.address() as { port: number }).port
      resolve({
        target: { url: `http://127.0.0.1:${own}${pathname}`, token: service.token },
        hold: () => {
          for (const each of upstreams) each.pause()
        },
        release: () => {
          for (const each of upstreams) each.resume()
        },
        close() {
          for (const socket of sockets) socket.destroy()
          server.close()
        },
      })
    })
  })
}
