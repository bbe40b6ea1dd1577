import { FileDamaged, type FormatLimits } from './format.ts'

/** Bytes that cannot be what they should be, from within a reader that does not know which row it is in. */
export class Broken extends Error {
  /** Where in the file, if that is known. */
  readonly byte: number | undefined
  constructor(message: string, more: { cause?: unknown; byte?: number } = {}) {
    super(message, 'cause' in more ? { cause: more.cause } : {})
    this.byte = more.byte
  }
}

/** What an error from within a reader is to the outside: a Broken becomes the FileDamaged of that row. */
export function damaged(error: unknown, row: number): unknown {
  if (!(error instanceof Broken)) return error
  const { byte } = error
  return new FileDamaged(error.message, { row, ...(byte !== undefined && { byte }), cause: error })
}

/** Throws a Broken when fewer than `length` bytes are left before `end`. */
export function need(at: number, length: number, end: number, what: string): void {
  if (!(length >= 0 && at + length <= end)) throw new Broken(`${what} ends too early`)
}

/** Counts what comes out of a compressed file of `size` bytes; throws a Broken when it is out of all proportion. */
export function createGrowth(size: number, limits: FormatLimits): (more: number) => void {
  const most = Math.max(limits.maxInflatedBytes, size * limits.maxGrowth)
  let grown = 0
  return more => {
    grown += more
    if (grown > most) throw new Broken(`its ${size} bytes grow to more than ${most}`)
  }
}
