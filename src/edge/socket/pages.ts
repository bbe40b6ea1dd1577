import type { Stream } from '../../log/log.ts'
import type { Services } from '../services.ts'
import { decodeChanges, seekSource, type Told } from './changes.ts'

const READ = { maxEvents: 1000, maxBytes: 2_097_152, waitMs: 0 }
/**
 * Memory for pages of the past, about. Those who come back at the same time, after a restart say, read the same ones
 * moments apart: of the largest pages there is room for five, of common ones for hundreds.
 */
const KEPT_BYTES = 33_554_432
/** A change in memory takes about so many times what it takes in the log: as text, as a message in bytes, … */
const SWELLS = 3
/** … and so much more, however small it is. */
const OBJECT_BYTES = 500
/** A page of less is not worth its place. */
const WORTH_BYTES = 16_384

/** What a stream of changes holds after one offset up to and with another, decoded; messages are encoded in it as they are asked for. */
export interface PastPage {
  readonly stream: string
  readonly after: number
  readonly through: number
  readonly told: readonly Told[]
  /** The last offset that retention had taken when it was read, -1 for none. */
  readonly forgotten: number
  /** The place of what comes before it, once somebody knows. */
  before: number | undefined
}

/** The past as those who catch up read it: once for all who are nearby, as far as memory goes. */
export interface Pages {
  /** A page that holds what comes next after an offset. It may begin before that. */
  next(stream: Stream, after: number): Promise<PastPage>
  /** Where to start reading so that all that follow from sources after `source` come; `end` is known to be after it. */
  seek(stream: Stream, source: number, end: number): Promise<number>
}

export function createPages({ log, codec }: Pick<Services, 'log' | 'codec'>): Pages {
  /** The ones last used come last. */
  const kept = new Map<PastPage, number>()
  let bytes = 0

  function keep(page: PastPage, size: number): void {
    kept.set(page, size)
    bytes += size
    for (const [oldest, itsSize] of kept) {
      if (bytes <= KEPT_BYTES) return
      kept.delete(oldest)
      bytes -= itsSize
    }
  }

  function use(page: PastPage): PastPage {
    const size = kept.get(page)!
    kept.delete(page)
    kept.set(page, size)
    return page
  }

  async function next(stream: Stream, after: number): Promise<PastPage> {
    for (const page of kept.keys())
      if (page.stream === stream.name && page.after <= after && after < page.through) return use(page)
    const read = await log.read(stream, after, READ)
    // Asked after reading: what is not gone by now was there.
    const forgotten = (await log.forgotten(stream.topic)).get(stream.name)!
    const told = await decodeChanges(codec, read)
    const page = { stream: stream.name, after, through: read.through, told, forgotten, before: undefined }
    const size = read.events.reduce((sum, { value }) => sum + value.length * SWELLS + OBJECT_BYTES, 0)
    if (size >= WORTH_BYTES) keep(page, size)
    return page
  }

  return {
    next,
    async seek(stream, source, end) {
      for (const { stream: name, after, told, before } of kept.keys()) {
        const [first, last] = [told[0], told.at(-1)]
        if (name !== stream.name || !first || (before ?? first.place) > source || last!.place <= source) continue
        return told.findLast(({ place }) => place <= source)?.offset ?? after
      }
      const { offset, place } = await seekSource(log, codec, stream, source, end)
      // What is read from there on is wanted next, and tells the others where to start.
      const page = await next(stream, offset)
      if (page.after === offset) page.before = place
      return offset
    },
  }
}
