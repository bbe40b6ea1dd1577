import { readSync } from 'node:fs'
import { brotliDecompressSync, crc32, gunzipSync, zstdDecompressSync } from 'node:zlib'
import { decompressLz4, decompressLz4Raw, decompressSnappy } from 'hyparquet-compressors'
import { Broken } from '../broken.ts'
import type { Chunk } from './footer.ts'
import { inner, readStruct, type Struct, whole } from './thrift.ts'

/** How many bytes of pages and dictionaries are held. */
export interface Budget {
  /** Throws a Broken when that is more than may be held. */
  hold(bytes: number): void
  release(bytes: number): void
}

export function createBudget(max: number): Budget {
  let held = 0
  return {
    hold(bytes) {
      held += bytes
      if (held > max) throw new Broken(`its pages need ${held} bytes at once, more than ${max}`)
    },
    release(bytes) {
      held -= bytes
    },
  }
}

export interface Page {
  kind: 'dictionary' | 'data'
  values: number
  encoding: number
  /** The values, and in a data page of version 1 the levels before them. */
  bytes: Buffer
  /** The levels of a data page of version 2. */
  levels: { bytes: Buffer; repetitionBytes: number } | undefined
  /** How the levels of a data page of version 1 are written. */
  levelEncodings: { definition: number; repetition: number } | undefined
  /** What it holds of the budget. */
  held: number
}

/** A page header with statistics of long texts may be large, but not larger than this. */
const MAX_HEADER_BYTES = 4_194_304
const FIRST_HEADER_BYTES = 4096

/** Reads the pages of a column chunk one after the other; `hold` for what it answers is the caller's to release. */
export interface Pages {
  /** Where in the file the last page begins. */
  readonly at: number
  /** The next page of values or dictionary. Throws a Broken at the end of the chunk. */
  next(): Page
}

export function createPages(fd: number, chunk: Chunk, budget: Budget): Pages {
  let at = chunk.start
  let pageAt = at

  function readHeader(): Struct {
    for (let length = FIRST_HEADER_BYTES; ; length *= 8) {
      const bytes = bytesAt(Math.min(length, chunk.end - at))
      try {
        const { struct, end } = readStruct(bytes, 0)
        at += end
        return struct
      } catch (error) {
        if (!(error instanceof Broken) || length >= chunk.end - at || length >= MAX_HEADER_BYTES) throw error
      }
    }
  }

  function bytesAt(length: number): Buffer {
    const bytes = Buffer.allocUnsafeSlow(length)
    const count = readSync(fd, bytes, 0, length, at)
    if (count < length) throw new Broken('the file became shorter while it was read')
    return bytes
  }

  function read(): Page | undefined {
    if (at >= chunk.end) throw new Broken('its pages have fewer values than the footer claims')
    pageAt = at
    const header = readHeader()
    const size = whole(header, 3) ?? -1
    if (size < 0 || at + size > chunk.end) throw new Broken(`a page claims ${size} bytes, there are ${chunk.end - at}`)
    budget.hold(size)
    try {
      const bytes = bytesAt(size)
      at += size
      const crc = whole(header, 4)
      if (crc !== undefined && crc32(bytes) !== crc >>> 0) throw new Broken('the checksum of a page does not fit it')
      return pageOf(header, bytes, chunk.codec, budget)
    } finally {
      budget.release(size)
    }
  }

  return {
    get at() {
      return pageAt
    },
    next() {
      for (;;) {
        const page = read()
        if (page) return page
      }
    },
  }
}

/** The page, or undefined for one of a kind that holds no values. */
function pageOf(header: Struct, bytes: Buffer, codec: number, budget: Budget): Page | undefined {
  const type = whole(header, 1)
  const size = whole(header, 2) ?? -1
  const about = inner(header, type === 0 ? 5 : type === 2 ? 7 : 8)
  if (type !== 0 && type !== 2 && type !== 3) return undefined
  if (about === undefined || size < 0) throw new Broken('a page has no description')
  const values = whole(about, 1) ?? -1
  if (values < 0) throw new Broken(`a page claims ${values} values`)
  const encoding = whole(about, type === 3 ? 4 : 2) ?? 0
  if (type !== 3) {
    budget.hold(size)
    const page = { values, encoding, bytes: decompress(bytes, size, codec), levels: undefined, held: size }
    if (type === 2) return { kind: 'dictionary', ...page, levelEncodings: undefined }
    const levelEncodings = { definition: whole(about, 3) ?? -1, repetition: whole(about, 4) ?? -1 }
    return { kind: 'data', ...page, levelEncodings }
  }
  const definitionBytes = whole(about, 5) ?? -1
  const repetitionBytes = whole(about, 6) ?? -1
  const before = definitionBytes + repetitionBytes
  if (definitionBytes < 0 || repetitionBytes < 0 || before > bytes.length || before > size)
    throw new Broken(`a page claims ${before} bytes of levels`)
  budget.hold(size)
  const rest = bytes.subarray(before)
  const body = about.get(7) === false ? rest : decompress(rest, size - before, codec)
  const levels = { bytes: bytes.subarray(0, before), repetitionBytes }
  return { kind: 'data', values, encoding, bytes: body, levels, levelEncodings: undefined, held: size }
}

const CODECS = ['uncompressed', 'snappy', 'gzip', 'lzo', 'brotli', 'lz4', 'zstd', 'lz4_raw']

/** Answers exactly `size` bytes. Throws a Broken when the bytes do not give that many. */
function decompress(bytes: Buffer, size: number, codec: number): Buffer {
  if (size === 0) return Buffer.alloc(0)
  let out: Uint8Array
  try {
    out = inflated(bytes, size, codec)
  } catch (cause) {
    if (cause instanceof Broken) throw cause
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new Broken(`a page is not the ${CODECS[codec]} it claims to be: ${why}`, { cause })
  }
  if (out.length !== size) throw new Broken(`a page has ${out.length} bytes, where it claims ${size}`)
  return Buffer.from(out.buffer, out.byteOffset, out.length)
}

function inflated(bytes: Buffer, size: number, codec: number): Uint8Array {
  const atMost = { maxOutputLength: size }
  switch (codec) {
    case 0:
      return bytes
    case 1:
      return decompressSnappy(bytes, size)
    case 2:
      return gunzipSync(bytes, atMost)
    case 4:
      return brotliDecompressSync(bytes, atMost)
    case 5:
      return decompressLz4(bytes, size)
    case 6:
      return zstdDecompressSync(bytes, atMost)
    case 7:
      return decompressLz4Raw(bytes, size)
    default:
      throw new Broken(`the compression ${CODECS[codec] ?? codec} is not known`)
  }
}
