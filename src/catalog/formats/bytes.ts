import { open } from 'node:fs/promises'

/** How much of a file is read at once. */
export const CHUNK_BYTES = 262_144

/**
 * The bytes of a file from `start`, in pieces of up to CHUNK_BYTES. A piece is good until the next is asked for.
 * Throws the reason of `signal`, which is looked at before each piece.
 */
export async function* chunks(file: string, signal: AbortSignal | undefined, start = 0): AsyncGenerator<Buffer> {
  const handle = await open(file)
  try {
    const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES)
    for (let at = start; ; ) {
      signal?.throwIfAborted()
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, at)
      if (bytesRead === 0) return
      at += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    await handle.close()
  }
}

/** The first `length` bytes of a file, or all of it, from `start`. */
export async function headOf(file: string, length: number, start = 0): Promise<Buffer> {
  const handle = await open(file)
  try {
    const buffer = Buffer.alloc(length)
    let filled = 0
    while (filled < length) {
      const { bytesRead } = await handle.read(buffer, filled, length - filled, start + filled)
      if (bytesRead === 0) break
      filled += bytesRead
    }
    return buffer.subarray(0, filled)
  } finally {
    await handle.close()
  }
}
