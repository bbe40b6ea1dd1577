import { DomainError } from '../../kernel/errors.ts'

/** Whole lines, with the number of the first one, from 1. */
export interface Chunk {
  readonly bytes: Buffer<ArrayBuffer>
  readonly from: number
  readonly count: number
  /** Bytes of the input up to the end of it, but for a byte order mark. */
  readonly through: number
}

export interface ChunkOptions {
  /** Bytes of a chunk, about. */
  readonly bytes: number
  /** Lines at the beginning that are left out. */
  readonly skip: number
  /** How long lines that are there wait for more to come. */
  readonly waitMs: number
}

/** No line of the API is longer: of one that is, its beginning is enough to be refused by. */
const LONGEST = 2 * 1024 * 1024
const NEWLINE = 10
/** What some programs begin a text in UTF-8 with. */
const MARK = Buffer.from([0xef, 0xbb, 0xbf])

/**
 * Cuts a text of any length into chunks of whole lines, in constant memory. The last line needs no line break, and a byte
 * order mark is left out. Throws VALIDATION_ERROR when there are not so many lines as are to be left out.
 */
export async function* cut(
  input: AsyncIterable<Uint8Array>,
  { bytes: most, skip, waitMs }: ChunkOptions,
): AsyncGenerator<Chunk> {
  let parts: Buffer[] = []
  /** What is in parts: bytes, whole lines, and bytes of the line that has not come to its end. */
  let [size, lines, open] = [0, 0, 0]
  let [line, read] = [1, 0]
  /** Whether the rest of a line that is too long is left out. */
  let dropping = false
  /** Whether a line that is skipped has yet to come to its end. */
  let skipping = false

  function add(piece: Buffer): void {
    const [count, last] = linesIn(piece)
    parts.push(piece)
    size += piece.length
    lines += count
    line += count
    open = last < 0 ? open + piece.length : piece.length - last - 1
    dropping = open > LONGEST
  }

  /** The lines that are whole; what has come of the next one stays. */
  function take(): Chunk {
    const all = Buffer.concat(parts, size)
    const whole = size - open
    const chunk = { bytes: all.subarray(0, whole), from: line - lines, count: lines, through: read - open }
    parts = open > 0 ? [Buffer.from(all.subarray(whole))] : []
    ;[size, lines] = [open, 0]
    return chunk
  }

  const pieces = withoutMark(input)
  let next: Promise<IteratorResult<Uint8Array>> | undefined
  for (;;) {
    next ??= pieces.next()
    const came = lines > 0 ? await soon(next, waitMs) : await next
    if (came === undefined) {
      yield take()
      continue
    }
    next = undefined
    if (came.done) break
    let piece = Buffer.from(came.value.buffer, came.value.byteOffset, came.value.byteLength)
    read += piece.length
    for (; line <= skip && piece.length > 0; piece = piece.subarray(endOfLine(piece))) {
      skipping = !piece.includes(NEWLINE)
      if (!skipping) line++
    }
    if (dropping) piece = piece.subarray(piece.includes(NEWLINE) ? endOfLine(piece) - 1 : piece.length)
    if (piece.length > 0) add(piece)
    if (lines > 0 && size - open >= most) yield take()
  }
  if (open > 0) add(Buffer.from('\n'))
  if (skipping) line++
  if (line <= skip) throw new DomainError('VALIDATION_ERROR', `--skip ${skip}: there are only ${line - 1} lines`)
  if (lines > 0) yield take()
}

/** The pieces of a text, without the mark that it may begin with. */
async function* withoutMark(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  /** The first bytes, as long as they may be a part of it. */
  let head: Buffer | undefined = Buffer.alloc(0)
  for await (const piece of input) {
    if (!head) {
      yield piece
      continue
    }
    head = Buffer.concat([head, piece])
    if (head.length < MARK.length && MARK.indexOf(head) === 0) continue
    yield head.indexOf(MARK) === 0 ? head.subarray(MARK.length) : head
    head = undefined
  }
  if (head && head.length > 0) yield head
}

/** How many lines end in a piece, and where the last one does. */
function linesIn(piece: Buffer): [count: number, last: number] {
  let [count, last] = [0, -1]
  for (let at = piece.indexOf(NEWLINE); at >= 0; at = piece.indexOf(NEWLINE, at + 1)) {
    count++
    last = at
  }
  return [count, last]
}

/** Where the next line begins. */
function endOfLine(piece: Buffer): number {
  const end = piece.indexOf(NEWLINE)
  return end < 0 ? piece.length : end + 1
}

/** What comes within a while, undefined when nothing does. */
async function soon<T>(coming: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>(resolve => {
    timer = setTimeout(() => resolve(undefined), ms)
  })
  return Promise.race([coming, late]).finally(() => clearTimeout(timer))
}
