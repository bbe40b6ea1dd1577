import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { DomainError } from './kernel/errors.ts'

/**
 * Makes DATA_DIR and holds it for this process alone: two services in one would both write its read model, and each would
 * lose the other's versions. The lock is SQLite's on a file of its own, which ends with the process however that ends.
 */
export function holdDataDir(dir: string): { release(): void } {
  let lock: DatabaseSync | undefined
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    lock = new DatabaseSync(join(dir, 'lock.db'))
    lock.exec('pragma locking_mode = exclusive; begin exclusive')
  } catch (error) {
    lock?.close()
    const { message } = error as Error
    const why = message.includes('locked') ? 'another service is using it' : `cannot be used: ${message}`
    throw new DomainError('VALIDATION_ERROR', `DATA_DIR=${dir}: ${why}`)
  }
  const held = lock
  return { release: () => held.close() }
}
