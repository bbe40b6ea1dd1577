import type { Socket } from 'node:net'
import pg from 'pg'
import { DomainError } from '../../../../kernel/errors.ts'
import { fingerprint } from '../../../../kernel/hash.ts'
import type { SinkContext } from '../../destination.ts'
import type { Value } from '../connection.ts'
import { clientConfig, parsePostgresAddress } from './address.ts'
import { postgresFault } from './faults.ts'

/**
 * Set in each transaction, for a pooler in between may give each another session. A transaction may be idle while its client
 * tells the log of refused rows.
 */
const SETTINGS = {
  idle_in_transaction_session_timeout: 60_000,
  timezone: 'UTC',
  datestyle: 'ISO, MDY',
  extra_float_digits: 1,
  jit: 'off',
}
/** A page's rows are looked up by their keys, in tables that nobody has analysed yet. */
const BY_INDEX = { enable_seqscan: 'off', enable_hashjoin: 'off', enable_mergejoin: 'off' }
/** How long a lock may be waited for: a table's owner in the middle of something, a reader while another takes its place. */
const LOCK_MS = 5000
/** What goes over a whole table. */
const LONG_MS = 3_600_000
/** How much later than the server the client gives up, on one that is silent. */
const SILENCE_MS = 2000

const UNKNOWN_STATEMENT = /^(26000|42P05)$/

type Context = Pick<SinkContext, 'guard' | 'answerMs' | 'signal'>

/** A connection to a PostgreSQL server that is made when it is needed, and again when it broke between transactions. */
export function createSession(url: string, { guard, answerMs, signal }: Context) {
  const address = parsePostgresAddress(url)
  let client: pg.Client | undefined
  let socket: Socket | undefined
  const lockMs = Math.min(LOCK_MS, answerMs)
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
      // Statements are sent without waiting for the answers to those before.
      pipeline: true,
      stream: () => {
        socket = (config.stream as () => Socket)()
        return socket
      },
    } as pg.ClientConfig)
    // Between two statements a broken connection tells itself; the next statement fails for it.
    made.on('error', () => {
      if (client === made) client = undefined
    })
    await made.connect()
    return made
  }

  async function connected(): Promise<void> {
    const { sslmode } = address
    try {
      client ??= await connect(sslmode !== 'disable').catch(error => {
        if (sslmode !== 'prefer' || !/does not support SSL/.test(error.message)) throw error
        return connect(false)
      })
    } catch (error) {
      signal.throwIfAborted()
      throw postgresFault(error, address.shown)
    }
  }

  /** Statements with values are prepared, and known again by their names. */
  let named = true

  async function ask(text: string, values?: readonly unknown[]): Promise<pg.QueryResult> {
    if (!client) throw new Error('the connection broke')
    const name = named && values ? `superinsight_${fingerprint(text)}` : undefined
    const config = { text, values, query_timeout: queryMs + SILENCE_MS, ...(name && { name }) }
    try {
      return await client.query(config as pg.QueryConfig)
    } catch (error) {
      // A pooler gives each transaction another session, and does not know of statements.
      if (UNKNOWN_STATEMENT.test((error as pg.DatabaseError).code ?? '')) named = false
      throw error
    }
  }

  /** Statements whose answers nobody has waited for yet. */
  let sent: Promise<unknown>[] = []

  /** Sends a statement ahead of the next one. When it fails so does that one, and the one after. */
  function send(text: string, values?: readonly unknown[]): void {
    const answer = ask(text, values)
    // It is looked at with the next answer.
    answer.catch(() => undefined)
    sent.push(answer)
  }

  /** Asks, and waits for all that was sent before. Whatever fails is told as callers know it; a stop comes before all. */
  async function query(text: string, values?: readonly unknown[]): Promise<pg.QueryResult> {
    const answer = ask(text, values)
    const before = sent
    sent = []
    try {
      const [result] = await Promise.all([answer, ...before])
      return result
    } catch (error) {
      signal.throwIfAborted()
      // The first that failed is why the others have.
      const [first] = (await Promise.allSettled([...before, answer])).filter(each => each.status === 'rejected')
      throw postgresFault(first?.reason ?? error, address.shown)
    }
  }

  return {
    send,
    query: (text: string, values?: readonly (Value | Buffer | readonly string[])[]) => query(text, values),
    async transaction<T>(work: () => Promise<T>, long?: 'long'): Promise<T> {
      queryMs = long ? LONG_MS : answerMs
      const settings = { ...SETTINGS, ...(long ? {} : BY_INDEX), statement_timeout: queryMs, lock_timeout: lockMs }
      try {
        await connected()
        send('begin')
        const setting = (_: unknown, i: number) => `set_config($${2 * i + 1}, $${2 * i + 2}, true)`
        const each = Object.entries(settings)
        send(`select ${each.map(setting).join(', ')}`, each.flat().map(String))
        const result = await work()
        const { command } = await query('commit')
        if (command !== 'COMMIT') throw new DomainError('INTERNAL_ERROR', 'a transaction was not committed')
        return result
      } catch (error) {
        // A connection in an unknown state is not used again.
        if (client) await ask('rollback').catch(cut)
        sent = []
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
