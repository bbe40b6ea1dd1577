import { createHash, type Hash } from 'node:crypto'
import type { Exchange } from '../exchange.ts'

/**
 * Tells whether two pushes under one key are the same: SHA-256 over the query parameters that change what a push means and
 * the body as it was before it was zipped. Zipping the same body again may give other bytes (gzip keeps the time), and how
 * it was cut into pieces is nobody's concern.
 */
export interface Fingerprint {
  /** Of a body that was taken in; undefined when not all of it was. */
  taken(): string | undefined
  /** Of a body that is not to be taken in. */
  skipped(): Promise<string>
}

/** The fingerprint of a push whose body is all there. `names` are its query parameters. */
export function fingerprintOf(exchange: Exchange, names: readonly string[], body: Buffer): Fingerprint {
  const digest = () => begin(exchange, names).update(body).digest('base64url')
  return { taken: digest, skipped: async () => digest() }
}

/** The fingerprint of a push whose body goes by in pieces. */
export interface StreamFingerprint extends Fingerprint {
  /** To be given each piece. */
  add(piece: Buffer): void
  /** To be told when all of it was taken in. */
  whole(): void
}

/** `skip` reads the body to its end, gives each piece to `add`, and does nothing else with it. */
export function streamFingerprint(
  exchange: Exchange,
  names: readonly string[],
  skip: (add: (piece: Buffer) => void) => Promise<void>,
): StreamFingerprint {
  const hash = begin(exchange, names)
  const add = (piece: Buffer) => void hash.update(piece)
  let whole = false
  return {
    add,
    whole() {
      whole = true
    },
    taken: () => (whole ? hash.digest('base64url') : undefined),
    async skipped() {
      await skip(add)
      return hash.digest('base64url')
    },
  }
}

function begin({ query }: Exchange, names: readonly string[]): Hash {
  return createHash('sha256').update(JSON.stringify(names.map(name => [name, query.get(name)])))
}
