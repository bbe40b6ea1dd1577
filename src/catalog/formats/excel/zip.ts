import type { Readable } from 'node:stream'
import { crc32, createInflateRaw, type InflateRaw } from 'node:zlib'
import { type Entry, open, type ZipFile } from 'yauzl'
import { Broken } from '../broken.ts'

/** More parts than this has no workbook. */
const MAX_PARTS = 50_000

/** The parts of a zip file by their names, which are never used as paths of anything else. */
export interface Zip {
  has(name: string): boolean
  /**
   * The bytes of a part, inflated, in pieces. Throws a Broken when they are not what the zip says of them, or when all
   * that was inflated so far is more than may be: also before the first byte, when the zip itself says so.
   */
  part(name: string): AsyncGenerator<Buffer>
  close(): void
}

/** Opens a zip file. `grown` is told of all bytes that are inflated; it throws a Broken when they are too many. */
export async function openZip(path: string, mayGrow: number, grown: (bytes: number) => void): Promise<Zip> {
  const zip = await opened(path)
  const entries = await entriesOf(zip).catch(error => {
    zip.close()
    throw asBroken(error)
  })
  return {
    has: name => entries.has(name.toLowerCase()),
    async *part(name) {
      const entry = entries.get(name.toLowerCase())
      if (!entry) throw new Broken(`the workbook has no ${name}`)
      if (entry.uncompressedSize > mayGrow)
        throw new Broken(
          `${name} says that it inflates from ${entry.compressedSize} to ${entry.uncompressedSize} bytes, more than ${mayGrow}`,
        )
      try {
        yield* inflated(zip, entry, grown)
      } catch (error) {
        throw asBroken(error, name)
      }
    },
    close: () => zip.close(),
  }
}

/** What the zip library throws is about the file; what the system throws, and what is ours already, is passed on. */
function asBroken(error: unknown, name?: string): unknown {
  if (error instanceof Broken || !(error instanceof Error) || 'syscall' in error) return error
  if (error.name === 'AbortError') return error
  return new Broken(`the zip file is damaged: ${name ? `${name}: ` : ''}${error.message}`, { cause: error })
}

function opened(path: string): Promise<ZipFile> {
  return new Promise((resolve, reject) => {
    open(path, { lazyEntries: true, autoClose: false, validateEntrySizes: true }, (error, zip) => {
      if (error) reject(asBroken(error))
      else resolve(zip)
    })
  })
}

function entriesOf(zip: ZipFile): Promise<Map<string, Entry>> {
  const entries = new Map<string, Entry>()
  return new Promise((resolve, reject) => {
    zip.on('error', reject)
    zip.on('end', () => resolve(entries))
    zip.on('entry', (entry: Entry) => {
      const name = entry.fileName.toLowerCase()
      if (!entries.has(name)) entries.set(name, entry)
      if (entries.size > MAX_PARTS) reject(new Broken(`the zip file has more than ${MAX_PARTS} parts`))
      else zip.readEntry()
    })
    zip.readEntry()
  })
}

/** Larger pieces than the library would make: each costs a turn of the event loop. */
const PIECE_BYTES = 65_536
const STORED = 0
const DEFLATED = 8

async function* inflated(zip: ZipFile, entry: Entry, grown: (bytes: number) => void): AsyncGenerator<Buffer> {
  const { compressionMethod: method, uncompressedSize: size } = entry
  if (entry.isEncrypted()) throw new Broken('it is encrypted')
  if (method !== STORED && method !== DEFLATED) throw new Broken(`its compression, ${method}, is not known`)
  const raw = await new Promise<Readable>((resolve, reject) => {
    zip.openReadStream(entry, { decodeFileData: false }, (error, readable) =>
      error ? reject(error) : resolve(readable),
    )
  })
  const stream = method === DEFLATED ? createInflateRaw({ chunkSize: PIECE_BYTES }) : raw
  if (stream !== raw) raw.on('error', error => stream.destroy(error)).pipe(stream as InflateRaw)
  let crc = 0
  let bytes = 0
  try {
    for await (const piece of stream as AsyncIterable<Buffer>) {
      bytes += piece.length
      if (bytes > size) throw new Broken(`it inflates to more than the ${size} bytes it claims`)
      grown(piece.length)
      crc = crc32(piece, crc)
      yield piece
    }
  } finally {
    raw.destroy()
  }
  if (bytes !== size) throw new Broken(`it inflates to ${bytes} bytes, where it claims ${size}`)
  if (crc !== entry.crc32 >>> 0) throw new Broken('its checksum does not fit it')
}
