/** A bounded number of works at once; the others wait in the order they came. */
export type Slots = ReturnType<typeof createSlots>

export function createSlots(count: number) {
  let free = count
  const waiting: (() => void)[] = []
  return {
    /** Does `work` when a slot is free; rejects with the signal's reason when it aborts before. */
    async take<Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
      if (free > 0) free--
      else await new Promise<void>(resolve => waiting.push(resolve))
      try {
        signal.throwIfAborted()
        return await work()
      } finally {
        const next = waiting.shift()
        if (next) next()
        else free++
      }
    },
  }
}
