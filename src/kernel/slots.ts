/** A bounded number of works at once; the others wait in the order they came. */
export function createSlots(count: number) {
  let free = count
  const waiting: (() => void)[] = []
  return {
    /** Does `work` when a slot is free; not at all when `signal` aborts before. */
    async take(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
      if (free > 0) free--
      else await new Promise<void>(resolve => waiting.push(resolve))
      try {
        if (!signal.aborted) await work()
      } finally {
        const next = waiting.shift()
        if (next) next()
        else free++
      }
    },
  }
}
