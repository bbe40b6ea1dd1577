import type { Socket } from 'node:net'
import pg from 'pg'
import { DomainError } from '../../../../kernel/errors.ts'
import type { SinkContext } from '../../destination.ts'
import type { Value } from '../connection.ts'
import { clientConfig, parsePostgresAddress } from './address.ts'
import { postgresFault } from './faults.ts'

/** How long a transaction may wait for its client, which tells the log of refused rows within it. */
const IDLE_MS = 60_000
/** How long a lock may be waited for: a table's owner in the middle of something, a reader while another takes its place. */
const LOCK_MS = 5000
/** What goes over a whole table. */
const LONG_MS = 3_600_000
/** How much later than the server the client gives up, on one that is silent. */
const SILENCE_MS = 2000

type Context = Pick<SinkContext, 'guard' | 'answerMs' | 'signal'>

/** A connection to a PostgreSQL server that is made when it is needed, and again when it broke between transactions. */
export function createSession(url: string, { guard, answerMs, signal }: Context) {
  const address = parsePostgresAddress(url)
  let client: pg.Client | undefined
  let socket: Socket | undefined
  let queryMs = answerMs

  const cut = () => {
    socket?.destroy()
    client = undefined
  }
  signal.addEventListener('abort', cut)

  async function connect(tls: boolean): Promise<pg.Client> {
    const config = clientConfig(address, tls, guard, answerMs)
    const made = new pg.Client({
      ...config,
      stream: () => {
        socket = (config.stream as () => Socket)()
        return socket
      },
    })
    // Between two statements a broken connection tells itself; the next statement fails for it.
    made.on('error', () => {
      if (client === made) client = undefined
    })
    await made.connect()
    return made
  }

  async function connected(): Promise<pg.Client> {
    const { sslmode } = address
    try {
      client ??= await connect(sslmode !== 'disable')
    } catch (error) {
      if (sslmode !== 'prefer' || !/does not support SSL/.test((error as Error).message)) throw error
      client = await connect(false)
    }
    return client
  }

  async function query(text: string, values?: readonly unknown[]): Promise<pg.QueryResult> {
    if (!client) throw new Error('the connection broke')
    const result = await client.query({
      text,
      values: values as unknown[],
      query_timeout: queryMs + SILENCE_MS,
    } as pg.QueryConfig)
    return result
  }

  /** Whatever fails is told as callers know it, and a stop comes before all. */
  async function told<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      signal.throwIfAborted()
      throw postgresFault(error, address.shown)
    }
  }

  return {
    query: (text: string, values?: readonly (Value | Buffer | readonly string[])[]) => told(() => query(text, values)),
    async transaction<T>(work: () => Promise<T>, long?: 'long'): Promise<T> {
      queryMs = long ? LONG_MS : answerMs
      // All settings in the transaction itself: a pooler between may give each one to another session.
      const settings = {
        statement_timeout: queryMs,
        lock_timeout: Math.min(LOCK_MS, answerMs),
        idle_in_transaction_session_timeout: IDLE_MS,
        timezone: "'UTC'",
        datestyle: "'ISO, MDY'",
        extra_float_digits: 1,
        jit: 'off',
        // A page's rows are looked up by their keys, in tables that nobody has analysed yet.
        ...(long ? {} : { enable_seqscan: 'off', enable_hashjoin: 'off', enable_mergejoin: 'off' }),
      }
      const begin = ['begin', ...Object.entries(settings).map(([name, value]) => `set local ${name} = ${value}`)]
      try {
        await told(connected)
        await told(() => query(begin.join('; ')))
        const result = await work()
        const { command } = await told(() => query('commit'))
        if (command !== 'COMMIT') throw new DomainError('INTERNAL_ERROR', 'a transaction was not committed')
        return result
      } catch (error) {
        // A connection in an unknown state is not used again.
        if (client) await query('rollback').catch(cut)
        throw error
      }
    },
    async stop(): Promise<void> {
      signal.removeEventListener('abort', cut)
      const ending = client
      client = undefined
      await ending?.end()
    },
  }
}

export type Session = ReturnType<typeof createSession>
