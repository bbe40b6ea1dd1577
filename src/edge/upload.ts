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
  /** SHA-256 over the fields and the file, whatever the form's boundary. */
  readonly fingerprint: string
}

type Form = InstanceType<typeof Busboy>

const MAX_FIELD_BYTES = 65_536
const MAX_NAME = 255
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
 * the socket is paused. Rejects with VALIDATION_ERROR naming the field, PAYLOAD_TOO_LARGE, or what `keep` rejected with.
 */
export async function receiveUpload(options: UploadOptions): Promise<Upload> {
  const { exchange, maxBytes } = options
  const form = openForm(exchange)
  const fields: Record<string, string> = {}
  const hash = createHash('sha256')
  let file: { filename: string; kept: Promise<FileTaken> } | undefined
  const { promise: whole, resolve, reject } = Promise.withResolvers<void>()
  whole.catch(() => undefined)

  form.on('field', (name: string, value: string, nameCut: boolean, valueCut: boolean) => {
    if (!options.fields.includes(name) || nameCut) {
      const message = `this field is not known here; a form has file, ${options.fields.join(', ')}`
      return reject(invalid(name.slice(0, 100), message))
    }
    if (valueCut) return reject(invalid(name, `it is longer than ${MAX_FIELD_BYTES} bytes`))
    if (name in fields) return reject(invalid(name, 'came twice'))
    fields[name] = value
  })
  form.on('file', (name: string, stream: Readable & { truncated?: boolean }, filename: string | undefined) => {
    if (name !== 'file' || file) {
      stream.resume()
      return reject(
        invalid(
          name.slice(0, 100),
          file ? 'a form has one file, this is a second one' : 'the file goes in the field file',
        ),
      )
    }
    const kept = keepFile(stream, hash, options)
    kept.catch(reject)
    file = { filename: cleanName(filename), kept }
  })
  form.on('finish', () => resolve())
  form.on('error', (error: Error) =>
    reject(new DomainError('VALIDATION_ERROR', `the form cannot be read: ${error.message}`)),
  )
  feed(exchange, form, options.idleSeconds, reject)
  try {
    await whole
    if (!file) throw invalid('file', 'is missing: the form has no file')
    const { bytes, head } = await file.kept
    for (const name of options.fields) hash.update(`\0${name}=${fields[name] ?? ''}`)
    return { filename: file.filename, bytes, head, fields, fingerprint: hash.digest('base64url') }
  } catch (error) {
    form.destroy()
    await file?.kept.catch(() => undefined)
    throw error instanceof DomainError && error.code === 'PAYLOAD_TOO_LARGE' ? tooLarge(maxBytes) : error
  }
}

function openForm(exchange: Exchange): Form {
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
function feed(exchange: Exchange, form: Form, idleSeconds: number, fail: (error: unknown) => void): void {
  const idle = watchIdle(exchange, idleSeconds)
  form.on('close', () => idle.stop())
  exchange.onAbort(() => {
    idle.stop()
    fail(new DomainError('VALIDATION_ERROR', 'the client went away'))
    form.destroy()
  })
  exchange.onChunk((chunk, last) => {
    idle.heard()
    if (form.destroyed) return
    if (!form.write(Buffer.from(chunk))) {
      exchange.pause()
      form.once('drain', () => exchange.resume())
    }
    if (!last) return
    idle.stop()
    form.end()
  })
}

interface FileTaken {
  readonly bytes: number
  readonly head: Buffer
}

async function keepFile(
  stream: Readable,
  hash: ReturnType<typeof createHash>,
  { maxBytes, keep }: UploadOptions,
): Promise<FileTaken> {
  let bytes = 0
  const head: Buffer[] = []
  let headBytes = 0
  async function* pieces(): AsyncGenerator<Uint8Array> {
    let piece: Buffer[] = []
    let size = 0
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > maxBytes) throw tooLarge(maxBytes)
      hash.update(chunk)
      if (headBytes < HEAD_BYTES) {
        head.push(Buffer.from(chunk.subarray(0, HEAD_BYTES - headBytes)))
        headBytes += head.at(-1)!.length
      }
      piece.push(chunk)
      size += chunk.length
      if (size < PIECE_BYTES) continue
      yield Buffer.concat(piece)
      piece = []
      size = 0
    }
    if (size > 0) yield Buffer.concat(piece)
  }
  try {
    await keep(pieces())
  } finally {
    // What nobody wants any more must not hold up the rest of the form.
    stream.resume()
  }
  return { bytes, head: Buffer.concat(head) }
}

function tooLarge(maxBytes: number): DomainError {
  return new DomainError('PAYLOAD_TOO_LARGE', `file: it is larger than ${maxBytes} bytes`)
}

/** What a file is called, for people to read: the last part of a path, without what cannot be shown. */
function cleanName(filename: string | undefined): string {
  const name = (filename ?? '').split(/[\\/]/).at(-1)!
  const shown = [...name].filter(char => char >= ' ' && char !== '\u007f').join('')
  return shown.slice(0, MAX_NAME) || 'file'
}
