import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DomainError } from '../kernel/errors.ts'
import type { FileStore } from './files.ts'
import { smallPool, unavailable } from './postgres-pool.ts'
import type { SealedStore } from './secrets.ts'

const UNIQUE = '23505'

/** Sealed secrets in PostgreSQL, for processes that share it. */
export function openPostgresSecrets(url: string): SealedStore {
  const pool = smallPool(url)
  const ask = (text: string, values: unknown[]) =>
    pool.query<{ sealed: Buffer }>(text, values).catch(error => {
      throw unavailable(error)
    })
  return {
    put: async (reference, sealed) => {
      await ask(
        'insert into superinsight.secrets values ($1, $2) on conflict (reference) do update set sealed = excluded.sealed',
        [reference, sealed],
      )
    },
    get: async reference =>
      (await ask('select sealed from superinsight.secrets where reference = $1', [reference])).rows[0]?.sealed,
    remove: async reference => {
      await ask('delete from superinsight.secrets where reference = $1', [reference])
    },
    stop: () => pool.end(),
  }
}

/** Files in PostgreSQL, a row a piece; whoever uses one has it on its own disk meanwhile. */
export function openPostgresFiles(url: string): FileStore {
  const pool = smallPool(url)

  async function remove(id: string): Promise<void> {
    await pool.query('delete from superinsight.files where id = $1', [id]).catch(error => {
      throw unavailable(error)
    })
  }

  /** Gives each piece in turn; whether there were any. */
  async function eachPiece(id: string, take: (bytes: Buffer) => Promise<void>): Promise<boolean> {
    for (let piece = 0; ; piece++) {
      const text = 'select bytes from superinsight.files where id = $1 and piece = $2'
      const { rows } = await pool.query<{ bytes: Buffer }>(text, [id, piece]).catch(error => {
        throw unavailable(error)
      })
      if (rows.length === 0) return piece > 0
      await take(rows[0]!.bytes)
    }
  }

  return {
    async write(id, pieces) {
      let piece = 0
      try {
        for await (const bytes of pieces) {
          await pool.query('insert into superinsight.files values ($1, $2, $3)', [id, piece++, bytes])
        }
        // A file without content has a row, too: it is there.
        if (piece === 0) await pool.query('insert into superinsight.files values ($1, 0, $2)', [id, Buffer.alloc(0)])
      } catch (error) {
        const taken = (error as { code?: string }).code === UNIQUE
        if (!taken) await remove(id).catch(() => undefined)
        throw error instanceof DomainError ? error : unavailable(error as Error)
      }
    },
    async open(id) {
      const folder = await mkdtemp(join(tmpdir(), 'superinsight-'))
      const close = () => rm(folder, { recursive: true, force: true })
      try {
        const path = join(folder, 'file')
        const file = await open(path, 'wx', 0o600)
        const found = await eachPiece(id, bytes => file.writeFile(bytes)).finally(() => file.close())
        if (!found) throw new DomainError('NOT_FOUND', `there is no file ${id} any more`)
        return { path, close }
      } catch (error) {
        await close()
        throw error
      }
    },
    remove,
    async removeBefore(id) {
      await pool.query('delete from superinsight.files where id < $1', [id]).catch(error => {
        throw unavailable(error)
      })
    },
    stop: () => pool.end(),
  }
}
