import { DomainError } from '../../kernel/errors.ts'
import type { Request } from '../router.ts'
import { jsonOf, type Seen } from './events.ts'
import { followEvents } from './follow.ts'
import { openOutlet } from './outlet.ts'
import { type Asked, earliestAfter, type Named, placesOf, readRange } from './range.ts'

/** How often a client is told how far all has been looked at, when nothing of it was for it. */
const PLACE_MS = 10_000

/** The header with which a client comes back. */
export const LAST_EVENT_ID = 'Last-Event-ID'

export interface Wanted {
  readonly asked: Asked
  readonly from: Named | undefined
  readonly to: Named | undefined
  /** Most events. */
  readonly limit: number
}

/**
 * Answers with Server-Sent Events: the past, then what comes, until `to`, so many events, or the client goes. Reading
 * waits for a client that is slow; one that takes nothing for long is cut off. Throws what is wrong with what was asked,
 * before the answer begins.
 */
export async function streamHistory(request: Request, wanted: Wanted): Promise<void> {
  const { asked, from, to } = wanted
  const { log, codec, history } = request.services
  const { topics } = asked
  const range = await readRange(log, topics, from, to).catch(error => {
    // A browser that comes back with an old id would give up for good: it is told in the stream.
    if (from?.field === LAST_EVENT_ID && isGone(error)) return undefined
    throw error
  })
  const outlet = openOutlet(request)
  const frames = createFrames(wanted)
  try {
    if (!range) throw new DomainError('GONE', 'events after Last-Event-ID are no longer kept')
    const following = { log, codec, ends: history.ends, asked, range, to, signal: outlet.signal }
    for await (const seen of followEvents(following)) {
      await outlet.send(frames.of(seen))
      if (frames.full) break
    }
    outlet.end()
  } catch (error) {
    if (!isGone(error)) return outlet.fail(error)
    const told = frames.place ?? from?.text
    const after = told === undefined ? range!.after : await placesOf(log, topics, { field: 'id', text: told })
    const earliest = await earliestAfter(log, topics, after)
    outlet.resync((error as Error).message, told, earliest?.position ?? told)
  }
}

const isGone = (error: unknown) => error instanceof DomainError && error.code === 'GONE'

function createFrames({ limit }: Wanted) {
  let left = limit
  /** All up to there has been looked at. */
  let place: string | undefined
  let told: string | undefined
  let toldAt = Date.now()
  return {
    get place() {
      return place
    },
    get full() {
      return left === 0
    },
    /** What is sent when these have been seen. */
    of(group: readonly Seen[]): string {
      let text = ''
      for (const { position, event } of group) {
        if (left === 0) break
        place = position
        if (event === undefined) continue
        left--
        told = position
        text += `id: ${position}\ndata: ${jsonOf(event)}\n\n`
      }
      if (text === '' && place !== told && Date.now() - toldAt > PLACE_MS) {
        told = place
        // Without data it is no event, and yet where a client that comes back goes on.
        text = `id: ${place}\n\n`
      }
      if (text !== '') toldAt = Date.now()
      return text
    },
  }
}
