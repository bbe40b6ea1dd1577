import { DomainError } from '../kernel/errors.ts'

const LOOK_AGAIN_MS = 2

/** Waits until `check` holds; UNAVAILABLE after `ms`. Only for short waits on something in this process. */
export async function until(check: () => boolean, ms = 10_000): Promise<void> {
  const end = Date.now() + ms
  while (!check()) {
    if (Date.now() > end) throw new DomainError('UNAVAILABLE', `not done after ${ms} ms`, { retryAfter: 1 })
    await new Promise(resolve => setTimeout(resolve, LOOK_AGAIN_MS))
  }
}
