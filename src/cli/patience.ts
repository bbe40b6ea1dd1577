import { DomainError } from '../kernel/errors.ts'
import { pause } from '../kernel/pause.ts'

const FIRST_MS = 250
const MOST_MS = 5000
/** How long a service may be away: as long as a restart takes, and a projector's start after it. */
const AWAY_MS = 60_000
/** What may be otherwise in a moment. */
const PASSING = new Set(['UNAVAILABLE', 'RATE_LIMITED', 'NOT_YET_PROJECTED'])

/** How long work is tried again that fails because nobody answers, or too many ask. */
export interface Patience {
  /** Something was done: patience begins anew. */
  moved(): void
  /** Waits before the next try. Throws `error` when it will not pass, or nothing has moved for a minute. */
  wait(error: unknown): Promise<void>
}

/** `more` names codes that pass in this work, besides the usual ones; `onWait` is told each time. */
export function createPatience(
  onWait: (error: DomainError) => void,
  { more = [], signal }: { more?: readonly string[]; signal?: AbortSignal } = {},
): Patience {
  let since: number | undefined
  let delay = FIRST_MS
  return {
    moved() {
      since = undefined
      delay = FIRST_MS
    },
    async wait(error) {
      if (!(error instanceof DomainError) || !(PASSING.has(error.code) || more.includes(error.code))) throw error
      since ??= Date.now()
      // Who is only too fast is not given up on.
      if (error.code !== 'RATE_LIMITED' && Date.now() - since > AWAY_MS) throw error
      onWait(error)
      const ms = error.code === 'RATE_LIMITED' && error.retryAfter ? error.retryAfter * 1000 : delay
      delay = Math.min(MOST_MS, delay * 2)
      await pause(ms, signal)
    },
  }
}
