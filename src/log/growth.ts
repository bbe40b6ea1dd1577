/** Lets readers sleep until a log has grown. */
export interface Growth {
  grew(): void
  /** Resolves at the next `grew`, after `ms`, or when `signal` aborts. */
  wait(ms: number, signal?: AbortSignal): Promise<void>
}

export function growth(): Growth {
  const waiting = new Set<() => void>()
  return {
    grew() {
      for (const wake of [...waiting]) wake()
    },
    wait(ms, signal) {
      if (ms <= 0 || signal?.aborted) return Promise.resolve()
      return new Promise(resolve => {
        const wake = () => {
          clearTimeout(timer)
          waiting.delete(wake)
          signal?.removeEventListener('abort', wake)
          resolve()
        }
        const timer = setTimeout(wake, ms)
        waiting.add(wake)
        signal?.addEventListener('abort', wake)
      })
    },
  }
}
