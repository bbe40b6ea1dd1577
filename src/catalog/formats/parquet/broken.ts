/** Bytes of a parquet file that cannot be what they should be. The reader makes a FileDamaged of it, with the place. */
export class Broken extends Error {
  /** Where in the file, if that is known: the page. */
  readonly byte: number | undefined
  constructor(message: string, more: { cause?: unknown; byte?: number } = {}) {
    super(message, 'cause' in more ? { cause: more.cause } : {})
    this.byte = more.byte
  }
}

/** Throws a Broken when fewer than `length` bytes are left before `end`. */
export function need(at: number, length: number, end: number, what: string): void {
  if (!(length >= 0 && at + length <= end)) throw new Broken(`${what} ends too early`)
}
