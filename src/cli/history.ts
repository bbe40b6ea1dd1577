import { DomainError } from '../kernel/errors.ts'
import type { Api } from './client.ts'
import type { Patience } from './patience.ts'

const NEWLINE = 10
const NDJSON = { accept: 'application/x-ndjson' }

/** Whole lines, an event each. */
export interface Lines {
  readonly bytes: Buffer
  readonly count: number
}

/**
 * Reads the history as NDJSON. When it breaks off it goes on after the last whole event, so that none is missed or comes
 * twice. Throws what will not pass.
 */
export async function* readHistory(api: Api, query: URLSearchParams, patience: Patience): AsyncGenerator<Lines> {
  let from = query.get('from')
  for (let whole = false; !whole; ) {
    const asked = new URLSearchParams(query)
    if (from !== null) asked.set('from', from)
    try {
      for await (const lines of wholeLines(await api(`/events?${asked}`, { headers: NDJSON }))) {
        patience.moved()
        from = positionOf(lines.bytes)
        yield lines
      }
      whole = true
    } catch (error) {
      await patience.wait(error)
    }
  }
}

async function* wholeLines(answer: Response): AsyncGenerator<Lines> {
  let rest: Buffer[] = []
  const pieces = answer.body![Symbol.asyncIterator]()
  for (;;) {
    const { value, done } = await pieces.next().catch(error => {
      throw new DomainError('UNAVAILABLE', `the service broke the history off: ${(error as Error).message}`)
    })
    if (done) break
    const piece = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    const end = piece.lastIndexOf(NEWLINE) + 1
    if (end > 0) {
      const bytes = Buffer.concat([...rest, piece.subarray(0, end)])
      rest = []
      yield { bytes, count: linesIn(bytes) }
    }
    if (end < piece.length) rest.push(piece.subarray(end))
  }
  // The answer ended in the middle of a line, and says that it is whole.
  if (rest.length > 0) throw new DomainError('UNAVAILABLE', 'the history ended in the middle of an event')
}

function linesIn(bytes: Buffer): number {
  let count = 0
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) count++
  return count
}

/** The position of the last line. */
function positionOf(lines: Buffer): string {
  const last = lines.subarray(lines.lastIndexOf(NEWLINE, lines.length - 2) + 1)
  return JSON.parse(last.toString()).position
}
