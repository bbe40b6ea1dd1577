import { invalid } from '../kernel/errors.ts'
import { isTotal, ofAnotherLog, type Position, parsePosition, TOTAL_ORDER, topicOfStream } from '../kernel/position.ts'
import type { Log } from '../log/log.ts'

/** Topics whose places a caller's position is taken for: what reads wait for and subscribers continue from. */
const ASKED = ['sync.records']

type KnownLog = Pick<Log, 'id' | 'streams' | 'place' | 'adopt'>

/**
 * Reads a position that a caller sends back. One of the log that this log was copied from is as good as one of its own, as
 * far as it is about these topics.
 * Throws VALIDATION_ERROR naming `field` when it is not a position, names a stream that this log does not have, or
 * belongs to a log that this one knows nothing of.
 */
export async function readPosition(
  log: KnownLog,
  text: string,
  field: string,
  topics: readonly string[] = ASKED,
): Promise<Position> {
  const position = parsePosition(text, field)
  if (position.log === log.id) {
    const unknown = [...position.offsets.keys()].find(name => !hasStream(log, name))
    if (unknown === undefined) return position
    throw invalid(
      field,
      `this log has no stream "${unknown.slice(0, 60)}"; send back a position that this API gave out`,
    )
  }
  const adopted = await log.adopt(position, topics)
  if (!adopted) throw ofAnotherLog(position, log.id, field)
  return adopted
}

/** Any topic's stream will do, also one that nobody waits for: the receipt of a refused row names one. */
function hasStream(log: KnownLog, name: string): boolean {
  if (name === TOTAL_ORDER) return isTotal(log.place(log.streams(ASKED[0]!)[0]!, 0))
  return log.streams(topicOfStream(name)).some(stream => stream.name === name)
}
