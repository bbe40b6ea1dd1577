import { isTotal, mergePositions, type Position } from '../kernel/position.ts'
import type { Log } from '../log/log.ts'

const RECORDS = 'sync.records'

/**
 * Makes the position of an append a place in the whole log. An append to Kafka tells only of the partitions it wrote; a
 * subscriber that continued from that would be sent all that the others ever held. So what is known of the records'
 * other partitions goes with it: a lower bound of where they are, from the start of this process and its own appends.
 */
export async function createReceipts(log: Log): Promise<(position: Position) => Position> {
  if (isTotal(log.place(log.streams(RECORDS)[0]!, 0))) return position => position
  const streams = new Set(log.streams(RECORDS).map(({ name }) => name))
  let known: Position = { log: log.id, offsets: await log.ends(RECORDS) }
  return position => {
    const ours = [...position.offsets].filter(([stream]) => streams.has(stream))
    known = mergePositions(known, { log: log.id, offsets: new Map(ours) })
    return mergePositions(known, position)
  }
}
