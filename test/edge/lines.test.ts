import { isUtf8 } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import { createLineSplitter } from '../../src/edge/ingest/lines.ts'
import { property, type Random } from '../kit/random.ts'

interface Line {
  line: number
  /** The line's text, or why it was refused. */
  row?: string
  refused?: string
  message?: string
  original?: string
  originalBytes?: number
}

const hex = (bytes: Buffer) => bytes.toString('hex')

/** What the splitter makes of a body that comes in these pieces. */
function split(chunks: readonly Buffer[], maxBytes = 1024): Line[] {
  const lines: Line[] = []
  const splitter = createLineSplitter(maxBytes, {
    row(bytes, start, end, line) {
      expect(line).toBe(splitter.line)
      lines.push({ line, row: bytes.toString('utf8', start, end) })
    },
    refuse({ code, field, message }, line, original, originalBytes) {
      expect(line).toBe(splitter.line)
      expect(field).toBeNull()
      lines.push({ line, refused: code, message, original: hex(original), originalBytes })
    },
    // Now and then it has enough, and is given the rest again.
    enough: () => splitter.line % 3 === 0,
  })
  // Each piece stands in a buffer that is overwritten when the call is over, as a socket's would be.
  for (const chunk of chunks) {
    for (let rest = chunk; rest.length > 0; ) {
      const copy = Buffer.from(rest)
      const taken = splitter.push(copy)
      expect(taken).toBeGreaterThan(0)
      copy.fill('x')
      rest = rest.subarray(taken)
    }
  }
  splitter.finish()
  return lines
}

/** The same, worked out from the whole body at once. */
function expected(body: Buffer, maxBytes: number): Line[] {
  const parts: Buffer[] = []
  for (let at = 0; at < body.length; ) {
    const end = body.indexOf(10, at) < 0 ? body.length : body.indexOf(10, at)
    parts.push(body.subarray(at, body[end - 1] === 13 && end > at ? end - 1 : end))
    at = end + 1
  }
  return parts.flatMap((part, n): Line[] => {
    const line = n + 1
    const refused = (code: string, message: string): Line[] => [
      { line, refused: code, message, original: hex(part.subarray(0, maxBytes)), originalBytes: part.length },
    ]
    if (part.length > maxBytes) return refused('TOO_LONG', `the line has ${part.length} bytes, more than ${maxBytes}`)
    if (!isUtf8(part)) return refused('INVALID_UTF8', 'the line is not valid UTF-8')
    return /^[ \t]*$/.test(part.toString()) ? [] : [{ line, row: part.toString() }]
  })
}

function cutBytes(body: Buffer, random: Random): Buffer[] {
  const chunks: Buffer[] = []
  const longest = random.pick([1, 3, 10, 40])
  for (let at = 0; at < body.length; at += chunks.at(-1)!.length) {
    chunks.push(body.subarray(at, at + random.int(longest + 1)))
  }
  return chunks
}

const PIECES = ['a', 'bc', 'ä', '😀', '\n', '\n', '\r\n', '\r', '\r\r\n', ' ', '\t', '{"id":"1"}', '\ufeff', '\0'].map(
  text => Buffer.from(text),
)
const BROKEN = [[0x80], [0xc3], [0xf0, 0x9f], [0xed, 0xa0, 0x80], [0xff]].map(bytes => Buffer.from(bytes))

describe('lines', () => {
  it('are the same however the bytes are cut into pieces', () =>
    property(4000, random => {
      const pieces = random.chance(0.3) ? [...PIECES, ...BROKEN] : PIECES
      const body = Buffer.concat(Array.from({ length: random.int(40) }, () => random.pick(pieces)))
      const maxBytes = random.pick([1, 2, 5, 12, 1000])
      const wanted = expected(body, maxBytes)
      expect(split([body], maxBytes)).toEqual(wanted)
      expect(split(cutBytes(body, random), maxBytes)).toEqual(wanted)
    }))

  it('end in LF or CRLF, and only one CR belongs to the end', () => {
    expect(split([Buffer.from('a\nb\r\nc\r\r\nd\re\n')])).toEqual([
      { line: 1, row: 'a' },
      { line: 2, row: 'b' },
      { line: 3, row: 'c\r' },
      { line: 4, row: 'd\re' },
    ])
    expect(split([Buffer.from('a\r'), Buffer.from('\nb\r'), Buffer.from('\n')])).toEqual([
      { line: 1, row: 'a' },
      { line: 2, row: 'b' },
    ])
  })

  it('that are blank are counted and left out', () => {
    expect(split([Buffer.from('\n\r\n \t \na\n\n')])).toEqual([{ line: 4, row: 'a' }])
  })

  it('go on to the last one, which needs no newline', () => {
    expect(split([Buffer.from('a\nb')])).toEqual([
      { line: 1, row: 'a' },
      { line: 2, row: 'b' },
    ])
    expect(split([Buffer.from('a\n'), Buffer.from('b'), Buffer.from('\r')])).toEqual([
      { line: 1, row: 'a' },
      { line: 2, row: 'b' },
    ])
    expect(split([Buffer.from('a\n')])).toEqual([{ line: 1, row: 'a' }])
    expect(split([])).toEqual([])
  })

  it('go to the sink as soon as their end has come, and not before', () => {
    const seen: string[] = []
    const splitter = createLineSplitter(100, {
      row: (bytes, start, end) => seen.push(bytes.toString('utf8', start, end)),
      refuse: () => seen.push('refused'),
      enough: () => false,
    })
    splitter.push(Buffer.from('a\nb'))
    expect(seen).toEqual(['a'])
    expect(splitter.line).toBe(1)
    splitter.push(Buffer.from('c'))
    expect(seen).toEqual(['a'])
    splitter.push(Buffer.from('\nd\n'))
    expect(seen).toEqual(['a', 'bc', 'd'])
    expect(splitter.line).toBe(3)
  })
})

describe('a line that is too long', () => {
  const MiB = 1024 * 1024

  it.each([
    ['in one piece', 3 * MiB],
    ['in pieces of 64 KiB', 65_536],
    ['in pieces of 1,000 bytes', 1000],
  ])('is refused with its number, %s, while its neighbours pass', (_, size) => {
    const body = Buffer.concat([Buffer.from('one\n'), Buffer.alloc(2 * MiB, 'y'), Buffer.from('\nthree\n')])
    const chunks = Array.from({ length: Math.ceil(body.length / size) }, (_, n) =>
      body.subarray(n * size, (n + 1) * size),
    )
    const [one, two, three, ...rest] = split(chunks, MiB)
    expect([one, three, ...rest]).toEqual([
      { line: 1, row: 'one' },
      { line: 3, row: 'three' },
    ])
    const { original, ...why } = two!
    const message = `the line has ${2 * MiB} bytes, more than ${MiB}`
    expect(why).toEqual({ line: 2, refused: 'TOO_LONG', message, originalBytes: 2 * MiB })
    expect(original === hex(Buffer.alloc(MiB, 'y'))).toBe(true)
  })

  it('is refused when it is the last and has no newline', () => {
    const found = split([Buffer.from('ok\nxxxx'), Buffer.from('xxxx')], 5)
    expect(found.map(({ line, row, refused }) => row ?? `${line} ${refused}`)).toEqual(['ok', '2 TOO_LONG'])
    expect(found[1]!.originalBytes).toBe(8)
  })

  it('begins at one byte more than the limit, line end not counted', () => {
    const codes = (text: string, pieces: number) =>
      split(pieces === 1 ? [Buffer.from(text)] : [...text].map(character => Buffer.from(character)), 5).map(
        ({ row, refused }) => row ?? refused,
      )
    for (const pieces of [1, 9]) {
      expect(codes('12345\n12345\r\n12345', pieces)).toEqual(['12345', '12345', '12345'])
      expect(codes('123456\n123456\r\n123456', pieces)).toEqual(['TOO_LONG', 'TOO_LONG', 'TOO_LONG'])
    }
  })

  it('holds no more memory than the limit, however long it is', () => {
    const splitter = createLineSplitter(MiB, { row: () => undefined, refuse: () => undefined, enough: () => false })
    const chunk = Buffer.alloc(65_536, 'z')
    const before = process.memoryUsage().arrayBuffers
    for (let n = 0; n < 1024; n++) splitter.push(chunk)
    const held = process.memoryUsage().arrayBuffers - before
    // Buffers it has outgrown may still wait to be collected: together less than twice the last.
    expect(held).toBeLessThan(5 * MiB)
    splitter.push(Buffer.from('\n'))
    expect(splitter.line).toBe(1)
  })
})

describe('a line that is not UTF-8', () => {
  it.each(BROKEN.map(bytes => [hex(bytes), bytes] as const))('is refused alone: %s', (_, bytes) => {
    const body = Buffer.concat([Buffer.from('ä\n'), bytes, Buffer.from('\n😀\n')])
    const wanted = [
      { line: 1, row: 'ä' },
      {
        line: 2,
        refused: 'INVALID_UTF8',
        message: 'the line is not valid UTF-8',
        original: hex(bytes),
        originalBytes: bytes.length,
      },
      { line: 3, row: '😀' },
    ]
    expect(split([body])).toEqual(wanted)
    expect(split([...body].map(byte => Buffer.from([byte])))).toEqual(wanted)
  })

  it('is not one whose character was cut in two by the network', () => {
    const bytes = Buffer.from('😀\n')
    expect(split([bytes.subarray(0, 2), bytes.subarray(2)])).toEqual([{ line: 1, row: '😀' }])
  })
})
