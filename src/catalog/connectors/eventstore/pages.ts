import { DomainError } from '../../../kernel/errors.ts'
import type { PullContext, PulledPage, PulledRow } from '../connector.ts'
import { StreamMissing } from './failures.ts'
import type { Place } from './places.ts'
import type { Reader, RecordedEvent } from './reading.ts'
import { placeText, recordOf, typeOf } from './record.ts'

/** What is read, and what becomes of it. */
export interface Source {
  /** Undefined: all of them. */
  readonly stream: string | undefined
  readonly resolveLinks: boolean
  /** Whether the database's own events are left out. */
  readonly withoutSystem: boolean
  /** Whether a record's id is the event's place in its stream, and not the event's own. */
  readonly idIsPlace: boolean
}

type PageContext = Pick<PullContext, 'pageRows' | 'pageBytes' | 'signal' | 'log'>

/** A page comes after so many events at the latest, so that those without a row are not read again and again. */
const MOST_PASSED = 10_000
const MOST_GAPS_TOLD = 5

/** The last event of a stream, or of all of them; undefined where there is none any more. Throws StreamMissing. */
export async function lastOf(stream: string | undefined, reader: Reader): Promise<RecordedEvent | undefined> {
  const read = { stream, from: 'end', resolveLinks: false, lastOnly: true } as const
  for await (const { event, link } of reader.events(() => read)) return link ?? event
  return undefined
}

/** A stream that is deleted, and not for good, has metadata that hide all of its revisions. */
export async function isSoftDeleted(stream: string, reader: Reader): Promise<boolean> {
  try {
    const metadata = await lastOf(`$$${stream}`, reader)
    const text = Buffer.from(metadata?.getData_asU8() ?? []).toString()
    return /"\$tb"\s*:\s*9223372036854775807\b/.test(text)
  } catch (error) {
    // Not everybody may read metadata: then all that can be said is that there is no such stream.
    if (error instanceof StreamMissing || error instanceof DomainError) return false
    throw error
  }
}

/** The pages from a place to the end; what was read before a failure comes before it. */
export async function* readPages(
  source: Source,
  place: Place,
  reader: Reader,
  { pageRows, pageBytes, signal, log }: PageContext,
): AsyncGenerator<PulledPage> {
  const { stream, withoutSystem } = source
  // Links are the database's own, too: where those are left out, nothing has to be looked up.
  const resolveLinks = source.resolveLinks && !withoutSystem
  const page = createPage(place, log)
  let gaps = 0
  let failure: { error: unknown } | undefined
  try {
    for await (const answer of reader.events(() => ({ stream, from: place.from, resolveLinks }))) {
      const original = answer.link ?? answer.event
      if (!original || !place.isBefore(original)) continue
      const isWanted = !withoutSystem || !typeOf(original).startsWith('$')
      const row = isWanted && answer.event ? rowOf(answer.event, source.idIsPlace) : undefined
      if (row && page.rows > 0 && page.bytes + row.bytes > pageBytes) {
        yield page.take()
        reader.advanced()
      }
      const wanted = place.moveTo(original)
      if (wanted !== undefined && gaps++ < MOST_GAPS_TOLD) {
        const revisions = { wanted: String(wanted), first: original.getStreamRevision() }
        log('warning', 'events are gone from the stream: reading goes on at the first one there', {
          stream,
          ...revisions,
        })
      }
      page.add(row, isWanted && !answer.event ? original : undefined)
      if (page.rows >= pageRows || page.passed >= Math.max(pageRows, MOST_PASSED)) {
        yield page.take()
        reader.advanced()
      }
    }
  } catch (error) {
    failure = { error }
  }
  if (signal.aborted) return
  if (page.passed > 0) yield page.take()
  if (failure) throw failure.error
}

interface Row {
  readonly row: PulledRow
  readonly bytes: number
  /** Where the event is, when it says that it is JSON and is not. */
  readonly mislabelled: string | undefined
}

function rowOf(event: RecordedEvent, idIsPlace: boolean): Row {
  const { id, data, isMislabelled } = recordOf(event)
  const row = { id: idIsPlace ? placeText(event) : id, data }
  return { row, bytes: Buffer.byteLength(data), mislabelled: isMislabelled ? placeText(event) : undefined }
}

/** The page that is being filled. */
function createPage(place: Place, log: PageContext['log']) {
  let rows: PulledRow[] = []
  let bytes = 0
  let passed = 0
  const broken = { links: [] as string[], labels: [] as string[] }
  return {
    get rows() {
      return rows.length
    },
    get bytes() {
      return bytes
    },
    /** Events since the last page, those without a row too. */
    get passed() {
      return passed
    },
    add(added: Row | undefined, brokenLink: RecordedEvent | undefined): void {
      passed++
      if (brokenLink) broken.links.push(placeText(brokenLink))
      if (added?.mislabelled) broken.labels.push(added.mislabelled)
      if (!added) return
      rows.push(added.row)
      bytes += added.bytes
    },
    /** The page, up to where the place is now; another one is begun. */
    take(): PulledPage {
      const page = { rows, state: place.state(), total: place.total() }
      const { links, labels } = broken
      if (links.length > 0) {
        log('warning', 'links to events that are gone were left out', { count: links.length, first: links[0] })
      }
      if (labels.length > 0) {
        const about = { count: labels.length, first: labels[0] }
        log('warning', 'events that say they are JSON and are not were taken as base64', about)
      }
      Object.assign(broken, { links: [], labels: [] })
      rows = []
      bytes = 0
      passed = 0
      return page
    },
  }
}
