/** Positions of so many messages are remembered. */
const MAX_REMEMBERED = 1000

/**
 * Knows the last messages that have positions of their own, changes and news of conflicts, by those. Only equality counts: positions are opaque, and a service continues exactly
 * after the one it is given, so a repeat can only be of what was told last, by an earlier connection.
 */
export function createRepeats(since: string | undefined): {
  /** Whether a message was not told before connection number `connection`. */
  isNew(position: string, connection: number): boolean
  /** Positions may mean something else from here on. */
  forget(): void
} {
  const toldBy = new Map<string, number>(since === undefined ? [] : [[since, 0]])
  return {
    isNew(position, connection) {
      const told = toldBy.get(position)
      if (told !== undefined && told !== connection) return false
      toldBy.set(position, connection)
      if (toldBy.size > MAX_REMEMBERED) toldBy.delete(toldBy.keys().next().value!)
      return true
    },
    forget: () => toldBy.clear(),
  }
}
