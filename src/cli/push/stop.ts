/** What a command that was asked to end exits with: 128 and SIGINT's number. */
export const STOPPED = 130

export interface Stop {
  readonly signal: AbortSignal
  end(): void
}

/** The first Ctrl-C asks for an end, the second makes one. */
export function stopOnSignal(): Stop {
  const stopping = new AbortController()
  const onSignal = () => {
    if (stopping.signal.aborted) process.exit(STOPPED)
    stopping.abort()
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  return {
    signal: stopping.signal,
    end() {
      process.removeListener('SIGINT', onSignal)
      process.removeListener('SIGTERM', onSignal)
    },
  }
}
