import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A wire to a server that can be cut. */
export interface Wire {
  readonly port: number
  /** From now on requests still arrive, and their answers are lost. */
  loseAnswers(): void
  /** From now on nothing passes either way, new connections included, as when a cable is out. */
  silence(): void
  /** Everything passes again; what was open while it did not is cut. */
  heal(): void
  /** Cuts every connection; new ones work. */
  cut(): void
  stop(): Promise<void>
}

export async function startWire(target: number): Promise<Wire> {
  const sockets = new Set<Socket>()
  let losing = false
  let silent = false

  const server = createServer(client => {
    const upstream = connect(target, '127.0.0.1')
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => socket.destroy())
    }
    client.on('data', bytes => {
      if (!silent) upstream.write(bytes)
    })
    client.on('end', () => upstream.end())
    upstream.on('data', bytes => {
      if (!losing && !silent) client.write(bytes)
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
  function cut(): void {
    for (const socket of sockets) socket.destroy()
    losing = false
  }
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    loseAnswers() {
      losing = true
    },
    cut,
    silence() {
      silent = true
    },
    heal() {
      cut()
      silent = false
    },
    async stop() {
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    },
  }
}
