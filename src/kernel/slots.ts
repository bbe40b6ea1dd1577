/** Gives a slot to others until something has come. */
export type Lend = <Result>(wait: Promise<Result>) => Promise<Result>

/** A bounded number of works at once; the others wait in the order they came. */
export type Slots = ReturnType<typeof createSlots>

export function createSlots(count: number) {
  let free = count
  const waiting: (() => void)[] = []

  async function taken(): Promise<void> {
    if (free > 0) free--
    else await new Promise<void>(resolve => waiting.push(resolve))
  }

  function release(): void {
    const next = waiting.shift()
    if (next) next()
    else free++
  }

  return {
    /**
     * Does `work` when a slot is free; rejects with the signal's reason when it aborts before. `work` may lend its slot
     * out while it only waits for something.
     */
    async take<Result>(signal: AbortSignal, work: (lend: Lend) => Promise<Result>): Promise<Result> {
      await taken()
      try {
        signal.throwIfAborted()
        return await work(async wait => {
          release()
          try {
            return await wait
          } finally {
            await taken()
          }
        })
      } finally {
        release()
      }
    },
  }
}
