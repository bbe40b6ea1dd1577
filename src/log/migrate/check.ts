import { eachEvent } from '../batch.ts'
import type { Layout } from './layout.ts'
import { damaged, placeOf, type Source } from './source.ts'

/** What the source holds for one partition of a topic. */
export interface Tally {
  events: number
  bytes: number
  /** How many of them are on Kafka already. */
  copied: number
  /** How many of them each group has handled. */
  readonly handled: Map<string, number>
}

/**
 * Reads the whole source once before anything is written: every batch is held against its checksum, every event is
 * counted. `copiedThrough` tells up to which offset of the source a partition of Kafka has its events.
 */
export async function checkSource(options: {
  source: Source
  layouts: ReadonlyMap<string, Layout>
  copiedThrough: (topic: string, partition: number) => number
  onProgress: (offset: number) => void
}): Promise<Map<string, Tally[]>> {
  const { source, layouts, copiedThrough, onProgress } = options
  const tallies = new Map(
    [...layouts].map(([topic, { partitions }]) => [topic, Array.from({ length: partitions }, newTally)]),
  )
  const groups = Map.groupBy(source.checkpoints, ({ topic }) => topic)
  let batches = 0
  for (const batch of source.batches()) {
    const { topic, first, last, time, bytes } = batch
    const layout = layouts.get(topic)
    if (!layout) throw damaged(source.file, `${placeOf(batch)}: this version knows no such topic`)
    const tally = tallies.get(topic)!
    const checkpoints = groups.get(topic) ?? []
    let count = 0
    eachEvent(bytes, (keyStart, valueStart, valueEnd) => {
      const offset = first + count++
      if (time < layout.since) return
      const partition = layout.partitionOf(bytes, keyStart, valueStart)
      const of = tally[partition]
      if (!of)
        throw new Error(`${topic} has ${layout.partitions} partitions on Kafka, event ${offset} is for ${partition}`)
      of.events++
      of.bytes += valueEnd - keyStart
      if (offset <= copiedThrough(topic, partition)) of.copied++
      for (const { group, offset: handled } of checkpoints)
        if (offset <= handled) of.handled.set(group, (of.handled.get(group) ?? 0) + 1)
    })
    if (count !== last - first + 1) throw damaged(source.file, `${placeOf(batch)}: there are ${count}`)
    onProgress(last)
    // Reading is synchronous: the process must be able to end, and to show how far it is.
    if (++batches % BREATHE_EVERY === 0) await new Promise(setImmediate)
  }
  return tallies
}

const BREATHE_EVERY = 100

function newTally(): Tally {
  return { events: 0, bytes: 0, copied: 0, handled: new Map() }
}
