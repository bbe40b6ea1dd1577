import { DomainError } from '../../kernel/errors.ts'
import type { Log } from '../../log/log.ts'
import { type Ends, shareEnds } from './follow.ts'

/** Who reads the history for as long as it takes. Each throws UNAVAILABLE when as many do as may. */
export interface HistoryReaders {
  /** One that reads to the end: it holds a page of every stream. Gives back what ends it. */
  enter(): () => void
  /** One that stays for what comes. Gives back what ends it. */
  follow(): () => void
  readonly ends: Ends
}

export function createHistoryReaders(log: Log, most: { readers: number; followers: number }): HistoryReaders {
  return {
    enter: gate(
      most.readers,
      limit => `${limit} answers of unknown length read the history, the limit; pages can be read`,
    ),
    follow: gate(most.followers, limit => `${limit} event streams follow the history, the limit`),
    ends: shareEnds(log),
  }
}

function gate(most: number, sentence: (limit: number) => string): () => () => void {
  let inside = 0
  return () => {
    if (inside >= most) throw new DomainError('UNAVAILABLE', sentence(most), { retryAfter: 10 })
    inside++
    let left = false
    return () => {
      if (!left) inside--
      left = true
    }
  }
}
