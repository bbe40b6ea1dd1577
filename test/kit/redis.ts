import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { startRedisContainer } from './containers.ts'
import { eitherWay } from './docker.ts'
import { freePort, type Running, run, until } from './processes.ts'

/** A Redis server of our own. */
export interface Redis {
  readonly url: string
  start(): Promise<void>
  /** Ends the server at once; what it held is gone. */
  stop(): Promise<void>
  /** Freezes it: connections stay open and nothing is answered. */
  pause(): Promise<void>
  resume(): Promise<void>
}

export function startRedis(): Promise<Redis> {
  return eitherWay(startRedisContainer, startLocalRedis)
}

/** The `redis-server` of this machine. */
async function startLocalRedis(): Promise<Redis> {
  const port = await freePort()
  let server: Running | undefined
  async function start(): Promise<void> {
    server = run('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', tmpdir()])
    await until(`Redis on port ${port}`, () => answersPing(port))
  }
  await start()
  return {
    url: `redis://127.0.0.1:${port}`,
    start,
    stop: async () => void (await server?.end('SIGKILL')),
    pause: async () => void server?.child.kill('SIGSTOP'),
    resume: async () => void server?.child.kill('SIGCONT'),
  }
}

export function answersPing(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'))
    socket.on('data', bytes => {
      socket.destroy()
      resolve(bytes.toString().startsWith('+PONG'))
    })
    socket.on('error', () => resolve(false))
  })
}
