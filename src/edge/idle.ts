import type { Exchange } from './exchange.ts'

const BEAT_MS = 4000

/** Cuts a request off whose client has been silent for too long, and keeps it from being ended sooner. */
export function watchIdle(exchange: Exchange, seconds: number): { heard(): void; stop(): void } {
  let heard = Date.now()
  const beat = setInterval(() => {
    if (Date.now() - heard > seconds * 1000) exchange.cut()
    else exchange.keepAlive()
  }, BEAT_MS)
  return {
    heard() {
      heard = Date.now()
    },
    stop: () => clearInterval(beat),
  }
}
