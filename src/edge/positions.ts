import { ofAnotherLog, type Position, parsePosition } from '../kernel/position.ts'
import type { Log } from '../log/log.ts'

/** Topics whose places a caller's position is taken for: what reads wait for and subscribers continue from. */
const ASKED = ['sync.records']

/**
 * Reads a position that a caller sends back. One of the log that this log was copied from is as good as one of its own.
 * Throws VALIDATION_ERROR naming `field` when it is not a position, or belongs to a log that this one knows nothing of.
 */
export async function readPosition(log: Pick<Log, 'id' | 'adopt'>, text: string, field: string): Promise<Position> {
  const position = parsePosition(text, field)
  if (position.log === log.id) return position
  const adopted = await log.adopt(position, ASKED)
  if (!adopted) throw ofAnotherLog(position, log.id, field)
  return adopted
}
