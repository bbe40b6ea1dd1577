import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { Busboy } from '@fastify/busboy'
import { HEAD_BYTES } from '../catalog/formats/format.ts'
import { DomainError, invalid } from '../kernel/errors.ts'
import type { Exchange } from './exchange.ts'
import { watchIdle } from './idle.ts'

/** A form with one file, taken in. */
export interface Upload {
  readonly filename: string
  readonly bytes: number
  /** The file's first bytes, HEAD_BYTES at most. */
  readonly head: Buffer
  readonly fields: Readonly<Record<string, string>>
  /** SHA-256 over the fields, the file and its name, whatever the form's boundary and order. */
  readonly fingerprint: string
}

type Form = InstanceType<typeof Busboy>

const MAX_FIELD_BYTES = 65_536
const MAX_NAME = 255
/** Room for all of a form that is not its file. */
const FORM_BYTES = 1_048_576
/** Pieces of the file in memory on their way to where they are kept. */
const PIECE_BYTES = 1_048_576

export interface UploadOptions {
  readonly exchange: Exchange
  readonly maxBytes: number
  readonly idleSeconds: number
  /** The fields of a form beside its file. */
  readonly fields: readonly string[]
  /** Keeps the file; what it rejects with ends the upload. */
  readonly keep: (pieces: AsyncIterable<Uint8Array>) => Promise<void>
}

/**
 * Takes in a multipart form (RFC 7578) with one file, in constant memory: when the file is not kept as fast as it comes,
 * the socket is paused. Rejects with VALIDATION_ERROR naming the field, PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE for a
 * body that is zipped, or what `keep` rejected with; when it rejects, `keep` has come to an end.
 */
export async function receiveUpload(options: UploadOptions): Promise<Upload> {
  const { exchange, fields: known } = options
  const form = openForm(options)
  const fields: Record<string, string> = {}
  const streams: Readable[] = []
  let file: { filename: string; kept: Promise<FileTaken> } | undefined
  const { promise: whole, resolve, reject } = Promise.withResolvers<void>()
  whole.catch(() => undefined)

  form.on('field', (name: string | undefined, value: string, nameCut: boolean, valueCut: boolean) => {
    if (name === undefined) return reject(NAMELESS)
    if (name === 'file') return reject(invalid('file', 'it came as a text: a file has a file name'))
    if (!known.includes(name) || nameCut) {
      const message = `this field is not known here; a form has file, ${known.join(', ')}`
      return reject(invalid(name.slice(0, 100), message))
    }
    if (valueCut) return reject(invalid(name, `it is longer than ${MAX_FIELD_BYTES} bytes`))
    if (name in fields) return reject(invalid(name, 'came twice'))
    fields[name] = value
  })
  form.on('file', (name: string | undefined, stream: Readable, filename: string | undefined) => {
    // A form that is cut off fails its file, too: where nobody reads that, the process would end.
    stream.on('error', () => undefined)
    streams.push(stream)
    if (name === undefined) return reject(NAMELESS)
    if (file) return reject(invalid(name.slice(0, 100), 'a form has one file, this is a second one'))
    if (name !== 'file') return reject(invalid(name.slice(0, 100), 'the file goes in the field file'))
    const kept = keepFile(stream, options)
    kept.catch(reject)
    file = { filename: cleanName(filename), kept }
  })
  form.on('finish', () => resolve())
  form.on('error', (error: Error) =>
    reject(new DomainError('VALIDATION_ERROR', `the form cannot be read: ${error.message}`)),
  )
  const idle = watchIdle(exchange, options.idleSeconds)
  try {
    feed(options, form, idle.heard, reject)
    await whole
    if (!file) throw invalid('file', 'is missing: the form has no file')
    const { filename } = file
    const { bytes, head, sha256 } = await file.kept
    const parts = [filename, bytes, sha256, ...known.map(name => fields[name] ?? null)]
    const fingerprint = createHash('sha256').update(JSON.stringify(parts)).digest('base64url')
    return { filename, bytes, head, fields, fingerprint }
  } catch (error) {
    for (const stream of streams) stream.destroy(error as Error)
    await file?.kept.catch(() => undefined)
    throw error
  } finally {
    idle.stop()
    form.destroy()
  }
}

const NAMELESS = invalid('form', 'it has a part without a name')

function openForm({ exchange, maxBytes }: UploadOptions): Form {
  const encoding = exchange.header('content-encoding')?.toLowerCase() ?? 'identity'
  if (encoding !== 'identity') {
    const message = `Content-Encoding ${encoding.slice(0, 40)}: a form is not zipped, its file may be`
    throw new DomainError('UNSUPPORTED_MEDIA_TYPE', message)
  }
  if (Number(exchange.header('content-length') ?? 0) > maxBytes + FORM_BYTES) throw tooLarge(maxBytes)
  const limits = { fieldNameSize: 100, fieldSize: MAX_FIELD_BYTES, fields: 20, files: 2, parts: 25, headerPairs: 20 }
  const type = exchange.header('content-type') ?? ''
  try {
    // A file name may come with a path; only its last part is ever looked at.
    return new Busboy({ headers: { 'content-type': type }, limits, preservePath: false })
  } catch (error) {
    throw new DomainError('VALIDATION_ERROR', `Content-Type: ${(error as Error).message}`)
  }
}

/** Gives the body to the form as fast as that takes it. */
function feed(
  { exchange, maxBytes }: UploadOptions,
  form: Form,
  heard: () => void,
  fail: (error: unknown) => void,
): void {
  let bytes = 0
  exchange.onAbort(() => fail(new DomainError('VALIDATION_ERROR', 'the client went away')))
  form.on('drain', () => {
    heard()
    exchange.resume()
  })
  exchange.onChunk((chunk, last) => {
    heard()
    bytes += chunk.length
    // A file has its own bound; this one is for what is not in a file, or never ends.
    if (bytes > maxBytes + FORM_BYTES) return fail(tooLarge(maxBytes))
    if (form.destroyed) return
    if (!form.write(Buffer.from(chunk))) exchange.pause()
    if (last) form.end()
  })
}

interface FileTaken {
  readonly bytes: number
  readonly head: Buffer
  readonly sha256: string
}

async function keepFile(stream: Readable, { maxBytes, keep }: UploadOptions): Promise<FileTaken> {
  const hash = createHash('sha256')
  const head: Buffer[] = []
  let bytes = 0
  async function* pieces(): AsyncGenerator<Uint8Array> {
    let piece: Buffer[] = []
    let size = 0
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      if (bytes < HEAD_BYTES) head.push(Buffer.from(chunk.subarray(0, HEAD_BYTES - bytes)))
      bytes += chunk.length
      if (bytes > maxBytes) throw tooLarge(maxBytes)
      hash.update(chunk)
      piece.push(chunk)
      size += chunk.length
      if (size < PIECE_BYTES) continue
      yield Buffer.concat(piece)
      piece = []
      size = 0
    }
    if (size > 0) yield Buffer.concat(piece)
  }
  await keep(pieces())
  return { bytes, head: Buffer.concat(head), sha256: hash.digest('base64url') }
}

function tooLarge(maxBytes: number): DomainError {
  return new DomainError('PAYLOAD_TOO_LARGE', `file: it is larger than ${maxBytes} bytes`)
}

/** What a file is called, for people to read: the last part of a path, without what cannot be shown. */
function cleanName(filename: string | undefined): string {
  const name = (filename ?? '').split(/[\\/]/).at(-1)!
  const shown = [...name].filter(char => char >= ' ' && char !== '\u007f').join('')
  const short = shown.slice(0, MAX_NAME).replace(/[\ud800-\udbff]$/, '')
  return /[^.]/.test(short) ? short : 'file'
}
