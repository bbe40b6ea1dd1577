/** What yoga asks of a cache. */
export interface Cache<Value> {
  get(key: string): Value | undefined
  set(key: string, value: Value): void
}

/** Keeps what was made of the last texts, as long as those are not longer than `maxLength` together. */
export function cacheByText<Value>(maxLength: number): Cache<Value> {
  const kept = new Map<string, Value>()
  let length = 0
  return {
    get(key) {
      const value = kept.get(key)
      if (value === undefined) return undefined
      kept.delete(key)
      kept.set(key, value)
      return value
    },
    set(key, value) {
      if (key.length > maxLength || kept.has(key)) return
      kept.set(key, value)
      length += key.length
      for (const oldest of kept.keys()) {
        if (length <= maxLength) break
        kept.delete(oldest)
        length -= oldest.length
      }
    },
  }
}
