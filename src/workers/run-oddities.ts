import { keyOf } from '../kernel/record-id.ts'
import type { Job } from './jobs-held.ts'
import type { Run } from './run-context.ts'

/** Rows that are remembered, to notice when they come again. */
const REMEMBERED = 100_000
/** Rows of one append whose keys are looked at, when they are not worked out anyway. */
const KEYS_LOOKED_AT = 1000

/** What is odd about the rows of a run and stops nothing: it is counted, and told in the run's log. */
export function createOddities(job: Job, run: Run) {
  const { key_columns: columns = [] } = job.config.target
  const hashes = new Set<number>()
  let again = 0
  let keys = new Set<string>()
  let looked = 0
  let shared: { count: number; example: string } | undefined
  let refused: { count: number; first: string } | undefined
  return {
    /** Told of each row that was refused before it went anywhere. */
    refused({ message }: { message: string }): void {
      refused = { count: (refused?.count ?? 0) + 1, first: refused?.first ?? message }
    },
    /** Told of each row as it was pulled. */
    came(data: string): void {
      const hash = hashOf(data)
      if (hashes.has(hash)) again++
      else if (hashes.size < REMEMBERED) hashes.add(hash)
    },
    /** Told of each row with key columns; its key, when that is known. */
    keyed(id: string | undefined, data: string): void {
      if (id === undefined && looked++ >= KEYS_LOOKED_AT) return
      const key = id ?? keyText(data, columns)
      if (key === undefined) return
      if (keys.has(key)) shared = { count: (shared?.count ?? 0) + 1, example: shared?.example ?? key }
      keys.add(key)
    },
    /** Tells, once, that rows of one append have the same key. */
    async tellKeys(): Promise<void> {
      keys = new Set()
      looked = 0
      if (!shared || shared.count < 0) return
      const { count, example } = shared
      shared = { count: Number.NEGATIVE_INFINITY, example }
      await run.tell('warning', 'rows share their key columns, and of those the last one counts', {
        ...{ key_columns: columns, count, example: example.slice(0, 100) },
      })
    },
    /** Tells what came up in all of the run. */
    async tellAll(): Promise<void> {
      if (refused) await run.tell('warning', 'rows were refused; /rejected has them', refused)
      if (again === 0) return
      const why = 'the order of its pages may have changed meanwhile, and then others never came'
      await run.tell('warning', 'the source gave rows more than once', { count: again, why })
    },
  }
}

function keyText(data: string, columns: readonly string[]): string | undefined {
  const key = keyOf(data, columns)
  return 'id' in key ? key.id : undefined
}

/** FNV-1a, 32 bits (draft-eastlake-fnv). */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}
