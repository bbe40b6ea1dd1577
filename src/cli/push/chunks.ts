import { DomainError } from '../../kernel/errors.ts'

/** Whole lines, with the number of the first one, from 1. */
export interface Chunk {
  readonly bytes: Buffer<ArrayBuffer>
  readonly from: number
  readonly count: number
  /** Bytes of the input up to the end of it. */
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

/** Cuts a text of any length into chunks of whole lines, in constant memory. The last line needs no line break. */
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

  const pieces = input[Symbol.asyncIterator]()
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
      if (piece.includes(NEWLINE)) line++
    }
    if (dropping) piece = piece.subarray(piece.includes(NEWLINE) ? endOfLine(piece) - 1 : piece.length)
    if (piece.length > 0) add(piece)
    if (lines > 0 && size - open >= most) yield take()
  }
  if (open > 0) add(Buffer.from('\n'))
  if (line <= skip) throw new DomainError('VALIDATION_ERROR', `--skip ${skip}: there are only ${line - 1} lines`)
  if (lines > 0) yield take()
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
