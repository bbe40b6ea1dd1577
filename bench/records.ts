/** What the load client is told to push. */
export interface PushJob {
  url: string
  token: string
  dataset: string
  records: number
  connections: number
  /** How many different ids the records have; 0: each its own. */
  keys: number
}

export const RECORD_BYTES = 92

/**
 * The number in the id of record `n` when there are so many different ids; with 0 each record has its own. Those that
 * share an id are `keys` records apart, and neighbours are not neighbours in the key's order.
 */
export function idOf(n: number, keys: number): number {
  return keys > 0 ? (n * 7919) % keys : n
}

/** A record's id and its data as JSON text. */
export function recordParts(id: number, n: number): { id: string; data: string } {
  const head = `{"n":${String(n).padStart(9, '1')},"name":"`
  return { id: `r${String(id).padStart(9, '0')}`, data: `${head}${'x'.repeat(DATA_BYTES - head.length - 2)}"}` }
}

/** One line of exactly 92 bytes, the newline included. */
export function recordLine(id: number, n: number): string {
  const record = recordParts(id, n)
  return `{"id":"${record.id}","data":${record.data}}\n`
}

const DATA_BYTES = RECORD_BYTES - '{"id":"r000000000","data":}\n'.length
