import type { Log } from './log.ts'

/** How many events of some topics come after these offsets. */
export async function eventsAfter(
  log: Pick<Log, 'streams' | 'lag'>,
  topics: readonly string[],
  offsets: ReadonlyMap<string, number>,
): Promise<number> {
  const streams = topics.flatMap(topic => log.streams(topic))
  const lags = await Promise.all(streams.map(stream => log.lag(stream, offsets.get(stream.name) ?? -1)))
  return lags.reduce((sum, events) => sum + events, 0)
}

/** Whether retention has taken events of some topics. */
export async function isShortened(log: Pick<Log, 'forgotten'>, topics: readonly string[]): Promise<boolean> {
  const taken = await Promise.all(topics.map(topic => log.forgotten(topic)))
  return taken.some(streams => [...streams.values()].some(offset => offset >= 0))
}
