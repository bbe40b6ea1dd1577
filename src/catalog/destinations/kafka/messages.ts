import type { Message } from 'kafkajs'
import { canonicalJson } from '../../../kernel/canonical.ts'
import { typeOf, unquoted } from '../../../kernel/members.ts'
import { pointerTo, textAt } from '../../../kernel/record-id.ts'
import type { SinkRefusal, SinkRow } from '../destination.ts'

/** The header that says which job a message is from. */
export const JOB = 'superinsight-job'

/** What a message takes besides key, value and headers, and a batch besides its messages, at most. */
const OVERHEAD = 100
const BATCH_OVERHEAD = 100

export interface Messages {
  /** In batches, each small enough for the topic. */
  readonly batches: readonly (readonly Message[])[]
  readonly refused: readonly SinkRefusal[]
}

/** Rows as messages: the key's text, and the row's JSON as it is; a deleted one has no value. */
export function messagesOf(
  rows: readonly SinkRow[],
  { key, jobId, maxBytes }: { key: string | undefined; jobId: string; maxBytes: number },
): Messages {
  const pointer = key === undefined || key.startsWith('/') ? key : pointerTo(key)
  const headers = { [JOB]: jobId }
  const own = OVERHEAD + JOB.length + Buffer.byteLength(jobId)
  const batches: Message[][] = []
  const refused: SinkRefusal[] = []
  let room = 0
  for (const row of rows) {
    const text = pointer === undefined ? row.id : keyOf(row, pointer)
    if (text === undefined) {
      const message = `${key}: a message needs a key`
      refused.push({ row, code: 'MISSING_FIELD', field: key!, message })
      continue
    }
    const value = row.op === 'delete' ? null : Buffer.from(row.data)
    const size = own + Buffer.byteLength(text) + (value?.length ?? 0)
    if (size > maxBytes - BATCH_OVERHEAD) {
      const message = `the row is a message of ${size} bytes; the topic takes at most ${maxBytes}`
      refused.push({ row, code: 'TOO_LONG', field: null, message })
      continue
    }
    if (size > room) {
      batches.push([])
      room = maxBytes - BATCH_OVERHEAD
    }
    room -= size
    batches.at(-1)!.push({ key: text, value, headers, timestamp: String(row.at) })
  }
  return { batches, refused }
}

/** The text of a row's key: a string as it is, all else as the JSON that all spellings of it share. */
function keyOf({ data }: SinkRow, pointer: string): string | undefined {
  const text = typeOf(data) === 'object' ? textAt(data, pointer) : undefined
  if (text === undefined || text === 'null') return undefined
  return typeOf(text) === 'string' ? unquoted(text) : canonicalJson(text)
}
