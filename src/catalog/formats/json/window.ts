import { isAscii } from 'node:buffer'
import { type FileHandle, open } from 'node:fs/promises'
import { CHUNK_BYTES } from '../bytes.ts'

/** A view of a file that moves forward: bytes[at, filled) are there, and `more` brings further ones. */
export interface Window {
  readonly bytes: Buffer
  /** The reader's place in `bytes`. What is before it is let go by `more`. */
  at: number
  readonly filled: number
  /** Whether bytes[filled] is the end of the file. */
  readonly ended: boolean
  /** Whether all of bytes[at, filled) is ASCII. */
  readonly ascii: boolean
  /** Which byte of the file bytes[i] is. */
  place(i: number): number
  /** Brings more bytes, at least as many as there are, so that looking at all of them again costs nothing in the end. */
  more(): Promise<void>
  close(): Promise<void>
}

export async function openWindow(file: string, signal: AbortSignal | undefined): Promise<Window> {
  const handle: FileHandle = await open(file)
  let bytes = Buffer.allocUnsafeSlow(CHUNK_BYTES)
  let offset = 0
  let ended = false
  const window = {
    get bytes() {
      return bytes
    },
    at: 0,
    filled: 0,
    get ended() {
      return ended
    },
    ascii: true,
    place: (i: number) => offset + i,
    async more() {
      signal?.throwIfAborted()
      const kept = window.filled - window.at
      if (kept * 2 > bytes.length) {
        const larger = Buffer.allocUnsafeSlow(bytes.length * 2)
        bytes.copy(larger, 0, window.at, window.filled)
        bytes = larger
      } else bytes.copyWithin(0, window.at, window.filled)
      offset += window.at
      window.at = 0
      const { bytesRead } = await handle.read(bytes, kept, bytes.length - kept, offset + kept)
      ended = bytesRead === 0
      window.filled = kept + bytesRead
      window.ascii = isAscii(bytes.subarray(0, window.filled))
    },
    close: () => handle.close(),
  }
  return window
}
