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

/** One line of exactly 92 bytes, the newline included. */
export function recordLine(id: number, n: number): string {
  const head = `{"id":"r${String(id).padStart(9, '0')}","data":{"n":${String(n).padStart(9, '1')},"name":"`
  return `${head}${'x'.repeat(RECORD_BYTES - head.length - 4)}"}}\n`
}
