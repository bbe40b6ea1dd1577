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

interface Waiting extends Done {
  resolve: () => void
  reject: (error: unknown) => void
}

/**
 * The keys of this process alone. That one is running is only in its memory: DATA_DIR belongs to one process, so what ran
 * in an earlier life of it runs no more. What is done is looked up in the file here, which takes some 10 us, and written
 * elsewhere: keys that end while others are being written go together in the next transaction.
 */
export function openOwnKeys({ file, keep, onDropped }: OwnKeysOptions): Keys {
  const db = new DatabaseSync(file, { readOnly: true, timeout: 10_000 })
  db.exec('pragma cache_size = -4096')
  const find = db.prepare('select fingerprint, answer from keys where hash = ? and until > ?')
  const running = new Set<string>()
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

  function lookUp(hash: string): Kept | undefined {
    try {
      return find.get(hash, Date.now()) as unknown as Kept | undefined
    } catch (error) {
      const message = `Idempotency-Key: whether this key is known cannot be read: ${(error as Error).message}`
      throw new DomainError('UNAVAILABLE', message, { retryAfter: 5 })
    }
  }

  return {
    async begin(hash): Promise<Begun> {
      if (running.has(hash)) return { state: 'running' }
      const kept = lookUp(hash)
      if (kept) return { state: 'done', kept }
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
