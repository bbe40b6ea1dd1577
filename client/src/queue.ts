/** Most characters of messages that wait, however few messages they are. */
const MAX_LENGTH = 16_777_216

/** What waits between a socket and the loop that reads it. */
export interface Queue<T> {
  readonly full: boolean
  /** Whether half of it or more is free. */
  readonly roomy: boolean
  put(item: T, length: number): void
  /** The next item; `undefined` when there will be none. Rejects with what ended it, once all is taken. */
  take(): Promise<T | undefined>
  /** No more will come: what waits can still be taken, unless it is to be dropped. */
  end(error?: Error): void
  drop(): void
}

export function createQueue<T>(maxItems: number): Queue<T> {
  let items: { item: T; length: number }[] = []
  let length = 0
  let ended = false
  let failure: Error | undefined
  let takers: { resolve: (item: T | undefined) => void; reject: (error: Error) => void }[] = []

  function end(error?: Error): void {
    if (ended) return
    ended = true
    failure = error
    // There are none while items wait.
    for (const { resolve, reject } of takers) {
      if (failure) reject(failure)
      else resolve(undefined)
    }
    takers = []
  }

  return {
    get full() {
      return items.length >= maxItems || length >= MAX_LENGTH
    },
    get roomy() {
      return items.length <= maxItems / 2 && length <= MAX_LENGTH / 2
    },
    put(item, size) {
      if (ended) return
      const taker = takers.shift()
      if (taker) return taker.resolve(item)
      items.push({ item, length: size })
      length += size
    },
    take() {
      const first = items.shift()
      if (first) {
        length -= first.length
        return Promise.resolve(first.item)
      }
      if (failure) return Promise.reject(failure)
      if (ended) return Promise.resolve(undefined)
      return new Promise((resolve, reject) => takers.push({ resolve, reject }))
    },
    end,
    drop() {
      items = []
      length = 0
      end()
    },
  }
}
