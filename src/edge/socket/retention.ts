import type { Position } from '../../kernel/position.ts'
import type { Log, StoredEvent, Stream } from '../../log/log.ts'
import type { Services } from '../services.ts'
import { CHANGES, createSeen, decodeChanges, SOURCES, sourceStream, sourcesOf } from './changes.ts'

const ONE = { maxEvents: 1, maxBytes: 1, waitMs: 0 }

/**
 * The earliest position after `since` from which no change is missing, when retention has taken some that may come after
 * `since`; undefined when it has not. What is gone does not say what it followed from: it is taken to reach up to what the
 * first that is left follows from, and to have been there when there are records in between.
 */
export async function earliestKept(services: Services, since: Position): Promise<string | undefined> {
  const { log } = services
  const [gone, goneSources] = [await log.forgotten(CHANGES), await log.forgotten(SOURCES)]
  const sources = sourcesOf(log, since)
  let missing = false
  for (const stream of log.streams(CHANGES)) {
    if (gone.get(stream.name)! < 0) continue
    const source = sourceStream(log, stream)
    const asked = sources.get(source.name)!
    const through = await lastWithout(services, stream, gone.get(stream.name)!)
    if (asked >= through) continue
    const next = await firstAfter(log, source, asked)
    const known = goneSources.get(source.name)! <= asked
    if (known && next && next.offset > through) continue
    sources.set(source.name, through)
    missing = true
  }
  return missing ? createSeen(log, sources).position() : undefined
}

/** The last source whose changes are gone, or that had none. */
async function lastWithout({ log, codec, progress }: Services, stream: Stream, gone: number): Promise<number> {
  const left = await firstAfter(log, stream, gone)
  if (left) {
    const [first] = await decodeChanges(codec, { events: [left], through: left.offset })
    return first!.data.source_offset - 1
  }
  // All of them, then, once what is still to come of them has come.
  const source = sourceStream(log, stream)
  const end = (await log.ends(SOURCES)).get(source.name)!
  await progress.wait(log.place(source, end), [SOURCES])
  return end
}

async function firstAfter(log: Log, stream: Stream, after: number): Promise<StoredEvent | undefined> {
  const end = (await log.ends(stream.topic)).get(stream.name)!
  for (let through = after; through < end; ) {
    const page = await log.read(stream, through, ONE)
    if (page.events.length > 0) return page.events[0]
    if (page.through <= through) return undefined
    through = page.through
  }
  return undefined
}
