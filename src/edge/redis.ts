import { createClient } from '@redis/client'
import type { Logger } from '../telemetry/logger.ts'

const LOOK_AGAIN_MS = 1000
const MAX_WAITING_COMMANDS = 10_000

type Client = ReturnType<typeof createClient>

/** A Redis that all edges share, and that may be lost. */
export interface SharedRedis {
  readonly up: boolean
  /** Resolves once it is known whether it answers. */
  readonly known: Promise<void>
  /** What `work` gives; undefined while Redis is lost, and when it fails or does not answer in time. */
  attempt<T>(work: (client: Client) => Promise<T>): Promise<T | undefined>
  stop(): void
}

export interface SharedRedisOptions {
  url: string
  /** How long a command may take: a request waits so long once, then Redis counts as lost until it answers again. */
  timeoutMs: number
  logger: Logger
  onChange: (up: boolean) => void
}

/** Connects in the background: an edge starts, and goes on, without it. */
export function openSharedRedis({ url, timeoutMs, logger, onChange }: SharedRedisOptions): SharedRedis {
  let up = false
  const { promise: known, resolve: know } = Promise.withResolvers<void>()
  const client: Client = createClient({
    url,
    disableOfflineQueue: true,
    commandsQueueMaxLength: MAX_WAITING_COMMANDS,
    socket: { connectTimeout: 5000, reconnectStrategy: LOOK_AGAIN_MS },
  })

  function turn(now: boolean, error?: Error): void {
    know()
    if (up === now) return
    up = now
    onChange(up)
    if (up) logger.info('Redis answers: limits and keys are shared by all edges')
    else
      logger.error({ reason: error?.message }, 'Redis is lost: limits and keys are this process’s own until it is back')
  }

  client.on('ready', () => turn(true))
  client.on('error', (error: Error) => turn(false, error))
  client.connect().catch((error: Error) => turn(false, error))
  // A connection that is open says nothing about whether anyone answers.
  const looking = setInterval(() => {
    if (!client.isReady) return
    inTime(client.ping(), timeoutMs).then(
      () => turn(true),
      error => turn(false, error),
    )
  }, LOOK_AGAIN_MS)

  return {
    get up() {
      return up
    },
    known,
    async attempt(work) {
      if (!up) return undefined
      try {
        return await inTime(work(client), timeoutMs)
      } catch (error) {
        turn(false, error as Error)
        return undefined
      }
    },
    stop() {
      clearInterval(looking)
      client.destroy()
    },
  }
}

function inTime<T>(answer: Promise<T>, ms: number): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`no answer for ${ms} ms`)), ms)
  return Promise.race([answer, late]).finally(() => clearTimeout(timer))
}
