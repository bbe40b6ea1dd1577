import { promisify } from 'node:util'
import { brotliDecompress, constants, gunzip, inflate, inflateRaw, type ZlibOptions } from 'node:zlib'
import { DomainError } from '../../../../kernel/errors.ts'
import { MayPass } from './may-pass.ts'

const FIRST_BYTES = 65_536
const MAX_CODINGS = 3

/** An answer, or a part of one, that is larger than it may be. */
export function tooLarge(most: number): DomainError {
  const message = `the answer has more than ${most} bytes, which is the most that MAX_SOURCE_ANSWER_BYTES allows`
  return new DomainError('VALIDATION_ERROR', message)
}

/**
 * The bytes of a stream, `most` at most: of more it takes no more, and either fails or, with `cut`, answers the
 * beginning. `expected` is how many the other side says that there are.
 */
export async function readBytes(
  stream: AsyncIterable<Uint8Array>,
  most: number,
  { expected = FIRST_BYTES, cut = false }: { expected?: number; cut?: boolean } = {},
): Promise<Buffer> {
  if (expected > most && !cut) throw tooLarge(most)
  // One buffer that grows: a list of chunks would be as long as the other side wants.
  let bytes = Buffer.allocUnsafe(Math.min(expected, most))
  let filled = 0
  for await (const chunk of stream) {
    const end = filled + chunk.length
    if (end > most) {
      if (!cut) throw tooLarge(most)
      return Buffer.concat([bytes.subarray(0, filled), chunk.subarray(0, most - filled)])
    }
    if (end > bytes.length) {
      const grown = Buffer.allocUnsafe(Math.min(most, Math.max(end, 2 * bytes.length)))
      bytes.copy(grown, 0, 0, filled)
      bytes = grown
    }
    bytes.set(chunk, filled)
    filled = end
  }
  return bytes.subarray(0, filled)
}

type Inflate = (bytes: Buffer, options: ZlibOptions) => Promise<Buffer>
const inflaters: Readonly<Record<string, Inflate>> = {
  gzip: promisify(gunzip) as Inflate,
  'x-gzip': promisify(gunzip) as Inflate,
  br: promisify(brotliDecompress) as Inflate,
  // Meant to have zlib's wrapping, which some servers leave out.
  deflate: (bytes, options) => ((bytes[0]! & 15) === 8 ? asInflated(bytes, options) : asRaw(bytes, options)),
}
const asInflated = promisify(inflate) as Inflate
const asRaw = promisify(inflateRaw) as Inflate

/** The codings that `decoded` knows, as a request says it. */
export const ACCEPTED_CODINGS = 'gzip, br, deflate'

/**
 * A body without its content codings, `most` bytes at most. With `cut` it may be the beginning of one, and so is what
 * comes out.
 */
export async function decoded(body: Buffer, codings: string, most: number, cut: boolean): Promise<Buffer> {
  const names = codings
    .toLowerCase()
    .split(',')
    .map(name => name.trim())
  const used = names.filter(name => name !== '' && name !== 'identity').reverse()
  if (used.length > MAX_CODINGS) throw unknownCoding(codings)
  let bytes = body
  for (const name of used) {
    const inflate = inflaters[name]
    if (!inflate) throw unknownCoding(codings)
    if (bytes.length > 0) bytes = await inflated(inflate, name, bytes, most, cut)
  }
  return bytes
}

async function inflated(inflate: Inflate, name: string, bytes: Buffer, most: number, cut: boolean): Promise<Buffer> {
  const flush = name === 'br' ? constants.BROTLI_OPERATION_FLUSH : constants.Z_SYNC_FLUSH
  try {
    return await inflate(bytes, { maxOutputLength: most, ...(cut ? { finishFlush: flush } : {}) })
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    if (code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(most)
    // Cut off, or damaged on its way.
    if (/^Z_|^ERR_(_ERROR|BROTLI|PADDING)/.test(code)) throw new MayPass(`the ${name} body is cut off or damaged`)
    throw error
  }
}

function unknownCoding(codings: string): DomainError {
  return new DomainError(
    'VALIDATION_ERROR',
    `the answer is encoded as ${codings.slice(0, 60)}, which is not known here`,
  )
}
