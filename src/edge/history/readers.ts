import { DomainError } from '../../kernel/errors.ts'

/** How many may read the history at once: each holds a page of every stream, for as long as its client takes. */
export interface HistoryReaders {
  /** Gives back what ends the reading. Throws UNAVAILABLE. */
  enter(): () => void
}

export function createHistoryReaders(most: number): HistoryReaders {
  let reading = 0
  return {
    enter() {
      if (reading >= most) {
        const message = `${most} answers of unknown length read the history, the limit; pages can be read`
        throw new DomainError('UNAVAILABLE', message, { retryAfter: 10 })
      }
      reading++
      return () => void reading--
    },
  }
}
