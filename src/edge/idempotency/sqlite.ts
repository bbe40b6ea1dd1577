import { DatabaseSync } from 'node:sqlite'
import { DomainError } from '../../kernel/errors.ts'
import type { Begun, Done, Keeper, Kept, Keys } from './keys.ts'

export interface OwnKeysOptions {
  /** Written by the keeper, which has made it. */
  file: string
  keep: Keeper['keep']
  /** Told when keys were dropped before their time. */
  onDropped: (keys: number) => void
}

interface Asked {
  readonly hash: string
  resolve: (kept: Kept | undefined) => void
  reject: (error: unknown) => void
}

interface Waiting extends Done {
  resolve: () => void
  reject: (error: unknown) => void
}

/**
 * The keys of this process alone. That one is running is only in its memory: DATA_DIR belongs to one process, so what ran
 * in an earlier life of it runs no more. What is done is looked up in the file here, for all keys that come in one turn of
 * the event loop at once: whoever has written has made this connection forget what it had read. It is written elsewhere:
 * keys that end while others are being written go together in the next transaction.
 */
export function openOwnKeys({ file, keep, onDropped }: OwnKeysOptions): Keys {
  const db = new DatabaseSync(file, { readOnly: true, timeout: 10_000 })
  db.exec('pragma cache_size = -4096')
  const find = db.prepare(`select hash, fingerprint, answer from keys
    where hash in (select value from json_each(?)) and until > ?`)
  const running = new Set<string>()
  let asked: Asked[] = []
  let waiting: Waiting[] = []
  let keeping: Promise<void> | undefined

  async function keepAll(): Promise<void> {
    // Those that end in this turn go together.
    await new Promise(resolve => setImmediate(resolve))
    while (waiting.length > 0) {
      const group = waiting
      waiting = []
      try {
        const dropped = await keep(group.map(({ hash, fingerprint, answer }) => ({ hash, fingerprint, answer })))
        if (dropped > 0) onDropped(dropped)
        for (const { resolve } of group) resolve()
      } catch (error) {
        for (const { reject } of group) reject(error)
      }
    }
    keeping = undefined
  }

  function lookUp(hash: string): Promise<Kept | undefined> {
    return new Promise((resolve, reject) => {
      if (asked.push({ hash, resolve, reject }) === 1) setImmediate(lookAllUp)
    })
  }

  function lookAllUp(): void {
    const group = asked
    asked = []
    try {
      const found = new Map<string, Kept>()
      for (const row of find.all(JSON.stringify(group.map(({ hash }) => hash)), Date.now())) {
        found.set(row.hash as string, { fingerprint: row.fingerprint as string, answer: row.answer as string })
      }
      for (const { hash, resolve } of group) resolve(found.get(hash))
    } catch (error) {
      const message = `Idempotency-Key: whether this key is known cannot be read: ${(error as Error).message}`
      for (const { reject } of group) reject(new DomainError('UNAVAILABLE', message, { retryAfter: 5 }))
    }
  }

  return {
    async begin(hash): Promise<Begun> {
      if (running.has(hash)) return { state: 'running' }
      const kept = await lookUp(hash)
      if (kept) return { state: 'done', kept }
      // Who asked in the same turn may have been given it.
      if (running.has(hash)) return { state: 'running' }
      running.add(hash)
      return {
        state: 'fresh',
        claim: {
          async finish({ fingerprint, answer }) {
            const { promise: kept, resolve, reject } = Promise.withResolvers<void>()
            waiting.push({ hash, fingerprint, answer, resolve, reject })
            keeping ??= keepAll()
            await kept.finally(() => running.delete(hash))
          },
          async release() {
            running.delete(hash)
          },
        },
      }
    },
    async stop() {
      await keeping
      db.close()
    },
  }
}
