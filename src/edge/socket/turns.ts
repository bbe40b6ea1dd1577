/** Most messages that uWebSockets.js keeps for a socket (`Subscriber::messageIndices` of its TopicTree.h). */
const KEPT_MESSAGES = 32
/** A message of so many bytes is not kept but written at once (`LoopData::CORK_BUFFER_SIZE`, with room for a frame). */
const BIG_BYTES = 15_000

/**
 * How much may be published before a socket's messages are written out. uWebSockets.js keeps what is published for each
 * socket until the turn of the event loop ends, and writes it out earlier when there is no room for one more, or when
 * something else is sent: if it drops one of the messages then, the one that is being published is still to be written,
 * though it comes after the one that was dropped. So no event is published that has no room.
 */
export interface Turns {
  /** Whether an event whose message has so many bytes can be published now. */
  hasRoom(bytes: number): boolean
  /** Counts an event that is published to each topic once at most. */
  take(): void
  /** Resolves when everything that was published has been written out, or dropped. */
  next(): Promise<void>
  /** A socket listens to so many topics. */
  listens(topics: number): void
}

export function createTurns(): Turns {
  let taken = 0
  let most = 1
  let turning: Promise<void> | undefined
  return {
    hasRoom: bytes => taken === 0 || (bytes < BIG_BYTES && (taken + 1) * most <= KEPT_MESSAGES),
    take: () => void taken++,
    next() {
      turning ??= turnOfLoop().then(() => {
        turning = undefined
        taken = 0
      })
      return turning
    },
    listens(topics) {
      most = Math.max(most, topics)
    },
  }
}

/** The first may come before uWebSockets.js has had this turn's end, the second comes after it. */
function turnOfLoop(): Promise<void> {
  return new Promise(resolve => setImmediate(() => setImmediate(resolve)))
}
