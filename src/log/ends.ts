import { topicOf } from '../events/index.ts'
import { eventAt, isTotal, type Position, TOTAL_ORDER, topicOfStream } from '../kernel/position.ts'
import type { Log, Stream } from './log.ts'

const TOPICS = [...new Set(Object.values(topicOf))]

/** The stream of this name, which the log has. */
export function streamNamed(log: Log, name: string): Stream {
  return log.streams(topicOfStream(name)).find(stream => stream.name === name)!
}

/** The last offset of a log whose events are all in one order: that of an event of any topic, which retention may have taken. */
export async function endOf(log: Log): Promise<number> {
  const ends = await Promise.all(TOPICS.flatMap(topic => log.streams(topic)).map(stream => lastOf(log, stream)))
  return Math.max(-1, ...ends)
}

async function lastOf(log: Log, stream: Stream): Promise<number> {
  const forgotten = await log.forgotten(stream.topic)
  return Math.max(await log.written(stream), forgotten.get(stream.name) ?? -1)
}

/**
 * Whether a position includes events that the log does not have: it was given out by a state of the log that is lost. One
 * that the log has just given out does not, for what is acknowledged is written.
 */
export async function isBeyondEnd(log: Log, { offsets }: Position): Promise<boolean> {
  for (const [name, place] of offsets) {
    const end = name === TOTAL_ORDER ? await endOf(log) : await lastOf(log, streamNamed(log, name))
    if (eventAt(place) > end) return true
  }
  return false
}

/**
 * How a reader that has come so far has read events that the log does not have: it is an older state of that log, perhaps a
 * copy that was put back. Undefined when it has not.
 */
export async function beyondLog(
  log: Log,
  topics: readonly string[],
  reached: ReadonlyMap<string, number>,
): Promise<string | undefined> {
  const streams = topics.flatMap(topic => log.streams(topic))
  const total = isTotal(log.place(streams[0]!, 0)) ? await endOf(log) : undefined
  for (const stream of streams) {
    const [offset, end] = [reached.get(stream.name) ?? -1, total ?? (await lastOf(log, stream))]
    if (offset > end) return `they include ${stream.name} up to offset ${offset}, and the log ends at ${end}`
  }
  return undefined
}
