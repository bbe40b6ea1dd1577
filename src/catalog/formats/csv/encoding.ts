import { isAscii } from 'node:buffer'
import { CHUNK_BYTES, chunks, headOf } from '../bytes.ts'
import { FileDamaged } from '../format.ts'

export const ENCODINGS = ['utf-8', 'utf-16le', 'utf-16be', 'gb18030', 'windows-1252'] as const
export type Encoding = (typeof ENCODINGS)[number]

/** Other names of the encodings, as files and programs call them. */
export const ALIASES: Readonly<Record<string, Encoding>> = {
  utf8: 'utf-8',
  utf16le: 'utf-16le',
  utf16be: 'utf-16be',
  gbk: 'gb18030',
  gb2312: 'gb18030',
  cp936: 'gb18030',
  cp1252: 'windows-1252',
  latin1: 'windows-1252',
  'iso-8859-1': 'windows-1252',
}

const BOMS: readonly [Encoding, Buffer][] = [
  ['utf-8', Buffer.from([0xef, 0xbb, 0xbf])],
  ['utf-16le', Buffer.from([0xff, 0xfe])],
  ['utf-16be', Buffer.from([0xfe, 0xff])],
]

export interface Found {
  encoding: Encoding
  /** Bytes of the byte order mark. */
  bom: number
  /** How it is known. */
  by: 'mark' | 'given' | 'content'
}

/**
 * The encoding of a file: the one that is given, else that of its byte order mark, else UTF-8 or GB 18030 by its first
 * text that is not ASCII, however far into the file that is.
 */
export async function findEncoding(
  file: string,
  given: Encoding | undefined,
  signal: AbortSignal | undefined,
): Promise<Found> {
  const head = await headOf(file, 3)
  const mark = BOMS.find(([, bytes]) => head.subarray(0, bytes.length).equals(bytes))
  if (given) return { encoding: given, bom: mark?.[0] === given ? mark[1].length : 0, by: 'given' }
  if (mark) return { encoding: mark[0], bom: mark[1].length, by: 'mark' }
  let at = 0
  for await (const chunk of chunks(file, signal)) {
    if (!isAscii(chunk)) {
      const first = at + chunk.findIndex(byte => byte > 127)
      return { encoding: guess(await headOf(file, CHUNK_BYTES, first)), bom: 0, by: 'content' }
    }
    at += chunk.length
  }
  return { encoding: 'utf-8', bom: 0, by: 'content' }
}

/**
 * UTF-8 or GB 18030? A text of the one almost never reads as the other, but bytes of a third encoding, or a damaged
 * UTF-8, may read as rare characters of GB 18030. So that is only taken for what it is when it looks like Chinese: nearly
 * all of its characters are among those of GB 2312, whose bytes are both past 0xA0.
 */
export function guess(sample: Buffer): Encoding {
  let good = 0
  let bad = 0
  for (let i = 0; i < sample.length; ) {
    const length = utf8Length(sample, i)
    if (length > 1) good++
    if (length < 0) bad++
    i += Math.abs(length)
  }
  if (bad <= good) return 'utf-8'
  let common = 0
  let odd = 0
  for (let i = 0; i < sample.length; i++) {
    if (sample[i]! < 128) continue
    const trail = sample[i + 1] ?? 0xff
    if (sample[i]! > 0xa0 && sample[i]! < 0xf8 && trail > 0xa0) common++
    else odd++
    i++
  }
  return common > odd * 9 ? 'gb18030' : 'utf-8'
}

/** How many bytes the character at `i` has; -1 when they are not UTF-8. A cut off one at the end is good. */
function utf8Length(b: Buffer, i: number): number {
  const lead = b[i]!
  if (lead < 0x80) return 1
  const length = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0
  if (length === 0) return -1
  for (let n = 1; n < length && i + n < b.length; n++) if ((b[i + n]! & 0xc0) !== 0x80) return -1
  return length
}

/** Turns pieces of UTF-16 into UTF-8, in which half a surrogate pair is kept as three bytes that no UTF-8 has. */
export interface Utf16 {
  decode(chunk: Buffer): Buffer
  /** Throws a FileDamaged when the file ended in the middle of a character. */
  finish(row: number, bytes: number): void
}

export function createUtf16(bigEndian: boolean): Utf16 {
  let rest: Buffer = Buffer.alloc(0)
  return {
    decode(chunk) {
      const all = Buffer.concat([rest, chunk])
      let end = all.length & ~1
      const lead = end >= 2 ? all[bigEndian ? end - 2 : end - 1]! : 0
      if (lead >= 0xd8 && lead < 0xdc) end -= 2
      rest = all.subarray(end)
      const units = all.subarray(0, end)
      return encodeLoose((bigEndian ? units.swap16() : units).toString('utf16le'))
    },
    finish(row, bytes) {
      if (rest.length > 0) throw new FileDamaged('the file ends within a character', { row, byte: bytes - rest.length })
    },
  }
}

function encodeLoose(text: string): Buffer {
  if (text.isWellFormed()) return Buffer.from(text)
  const parts = text.split(/([\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff])/)
  return Buffer.concat(
    parts.map((part, i) => {
      if (i % 2 === 0) return Buffer.from(part)
      const unit = part.charCodeAt(0)
      return Buffer.from([0xe0 | (unit >> 12), 0x80 | ((unit >> 6) & 63), 0x80 | (unit & 63)])
    }),
  )
}

/** The bytes in UTF-16 of what `Utf16.decode` made, for the original of a refused row. */
export function toUtf16(bytes: Buffer, bigEndian: boolean): Buffer {
  let units = ''
  let plain = 0
  for (let i = 0; i + 2 < bytes.length; i++) {
    if (bytes[i] !== 0xed || bytes[i + 1]! < 0xa0) continue
    units += bytes.toString('utf8', plain, i)
    units += String.fromCharCode(0xd000 | ((bytes[i + 1]! & 63) << 6) | (bytes[i + 2]! & 63))
    plain = i + 3
    i += 2
  }
  const encoded = Buffer.from(units + bytes.toString('utf8', plain), 'utf16le')
  return bigEndian ? encoded.swap16() : encoded
}

/** Text in which every ASCII byte is the character, as the splitter wants it. */
export function asciiKept(bytes: Buffer, encoding: Encoding): Buffer {
  return encoding.startsWith('utf-16') ? createUtf16(encoding === 'utf-16be').decode(bytes) : bytes
}
