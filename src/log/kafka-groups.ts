import type { Consumer, Kafka } from 'kafkajs'
import type { Membership, Stream } from './log.ts'

/** How often a member shows itself, and so how soon it hears that membership has changed. */
const HEARTBEAT_MS = 500
/** Before a member that the client library has given up joins anew. */
const REJOIN_MS = 1000

export interface GroupOptions {
  group: string
  topic: string
  streams: readonly Stream[]
  /** A member that is silent for so long is expelled, and the others share its streams. */
  sessionMs: number
  onStreams: (streams: readonly Stream[]) => void
}

/**
 * A member of a consumer group, only to learn which partitions are its own: they are paused at once, for the records
 * are read by our own reader, from offsets that this process knows better than the group. Like any member it is expelled
 * when it is silent for a session, and joins again by itself when it wakes.
 */
export function joinGroup(kafka: Kafka, options: GroupOptions): Membership {
  let stopped = false
  let consumer = start()
  let again: NodeJS.Timeout | undefined

  function start(): Consumer {
    const { group, topic, streams, sessionMs, onStreams } = options
    const joining = kafka.consumer({
      groupId: group,
      sessionTimeout: sessionMs,
      rebalanceTimeout: sessionMs,
      heartbeatInterval: HEARTBEAT_MS,
      // With nothing to fetch the library looks round so often, and sends its heartbeat then.
      maxWaitTimeInMs: HEARTBEAT_MS,
      retry: { initialRetryTime: 100, retries: 10, maxRetryTime: sessionMs },
    })
    joining.on('consumer.group_join', ({ payload: { memberAssignment } }) => {
      if (stopped || joining !== consumer) return
      joining.pause([{ topic }])
      const mine = new Set(memberAssignment[topic] ?? [])
      onStreams(streams.filter(({ partition }) => mine.has(partition)))
    })
    // It starts again by itself after what it takes for passing; after the rest it would be gone for good.
    joining.on('consumer.crash', ({ payload: { restart } }) => {
      if (!restart) restartLater()
    })
    run(joining, topic).catch(restartLater)
    return joining
  }

  function restartLater(): void {
    clearTimeout(again)
    if (stopped) return
    // Whatever it held is somebody else's soon, if it is not yet.
    options.onStreams([])
    again = setTimeout(() => {
      const before = consumer
      consumer = start()
      before.disconnect().catch(() => undefined)
    }, REJOIN_MS)
  }

  return {
    async stop() {
      stopped = true
      clearTimeout(again)
      await consumer.disconnect()
    },
  }
}

async function run(consumer: Consumer, topic: string): Promise<void> {
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: false })
  await consumer.run({ autoCommit: false, eachBatch: async () => undefined })
}
