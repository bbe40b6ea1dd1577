import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A wire to a server that can be cut. */
export interface Wire {
  readonly port: number
  /** From now on requests still arrive, and their answers are lost. */
  loseAnswers(): void
  /** Cuts every connection; new ones work. */
  cut(): void
  stop(): Promise<void>
}

export async function startWire(target: number): Promise<Wire> {
  const sockets = new Set<Socket>()
  let losing = false

  const server = createServer(client => {
    const upstream = connect(target, '127.0.0.1')
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => socket.destroy())
    }
    client.pipe(upstream)
    upstream.on('data', bytes => {
      if (!losing) client.write(bytes)
    })
    upstream.on('close', () => {
      sockets.delete(upstream)
      client.destroy()
    })
    client.on('close', () => {
      sockets.delete(client)
      upstream.destroy()
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    loseAnswers() {
      losing = true
    },
    cut() {
      for (const socket of sockets) socket.destroy()
      losing = false
    },
    async stop() {
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    },
  }
}
