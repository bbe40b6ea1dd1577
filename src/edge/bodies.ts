import { createGunzip } from 'node:zlib'
import { DomainError } from '../kernel/errors.ts'
import type { Exchange } from './exchange.ts'

/** The bytes that one request holds of its body. */
export interface Held {
  /** Counts bytes that are about to be kept. Throws UNAVAILABLE, and counts nothing, when all requests hold too many. */
  take(bytes: number): void
  /** To be called when they are not kept any more; all of them unless said. */
  give(bytes?: number): void
}

/**
 * Counts what all requests together hold of their bodies, as it comes in. Each body has a bound of its own, so a single
 * one is let in whatever this limit is: else one that is larger could never be sent.
 */
export function createBodies(maxBytes: number): () => Held {
  let all = 0
  return () => {
    let own = 0
    return {
      take(bytes) {
        if (all > own && all + bytes > maxBytes) {
          const message = `requests already hold ${all} bytes of bodies, the limit is ${maxBytes}`
          throw new DomainError('UNAVAILABLE', message, { retryAfter: 1 })
        }
        all += bytes
        own += bytes
      },
      give(bytes = own) {
        all -= bytes
        own -= bytes
      },
    }
  }
}

/** For a request that has no body: what comes as one is not kept. */
export const NO_BODY: Held = {
  take() {
    throw new DomainError('VALIDATION_ERROR', 'this request takes no body')
  },
  give: () => undefined,
}

/** The whole body, unzipped; each bound it breaks has its own error, see `Exchange.body`. */
export async function readWhole(exchange: Exchange, limit: number, held: Held): Promise<Buffer> {
  const encoding = exchange.header('content-encoding')?.toLowerCase() ?? 'identity'
  if (encoding !== 'gzip' && encoding !== 'identity') throw unknownEncoding(encoding)
  if (Number(exchange.header('content-length') ?? 0) > limit) throw tooLarge(limit)
  const received = await receive(exchange, limit, held)
  return encoding === 'gzip' ? unzip(received, limit, held) : received
}

function receive(exchange: Exchange, limit: number, held: Held): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    let failed = false
    const fail = (error: unknown) => {
      failed = true
      chunks.length = 0
      reject(error)
    }
    exchange.onAbort(() => fail(new DomainError('VALIDATION_ERROR', 'the client went away')))
    exchange.onChunk((chunk, last) => {
      if (failed) return
      size += chunk.length
      if (size > limit) return fail(tooLarge(limit))
      try {
        held.take(chunk.length)
      } catch (error) {
        return fail(error)
      }
      chunks.push(Buffer.from(chunk))
      if (last) resolve(Buffer.concat(chunks.splice(0)))
    })
  })
}

/** Unzips piece by piece: how large a body becomes shows only then. */
async function unzip(zipped: Buffer, limit: number, held: Held): Promise<Buffer> {
  const gunzip = createGunzip()
  const pieces: Buffer[] = []
  let size = 0
  gunzip.end(zipped)
  try {
    for await (const piece of gunzip as AsyncIterable<Buffer>) {
      size += piece.length
      if (size > limit) throw tooLarge(limit)
      held.take(piece.length)
      pieces.push(piece)
    }
  } catch (error) {
    if (error instanceof DomainError) throw error
    throw new DomainError('VALIDATION_ERROR', `the body is not gzip: ${(error as Error).message}`)
  }
  held.give(zipped.length)
  return Buffer.concat(pieces)
}

function tooLarge(limit: number): DomainError {
  return new DomainError('PAYLOAD_TOO_LARGE', `the body is larger than ${limit} bytes`)
}

export function unknownEncoding(encoding: string): DomainError {
  return new DomainError('UNSUPPORTED_MEDIA_TYPE', `Content-Encoding ${encoding.slice(0, 40)}: expected gzip or none`)
}
