/**
 * The 32-bit murmur2 hash that Kafka's own producers choose partitions by, so that this service and any stock client
 * put a key into the same partition. Source: `org.apache.kafka.common.utils.Utils.murmur2`, described in KIP-480.
 */
export function murmur2(bytes: Uint8Array, start = 0, end = bytes.length): number {
  const m = 0x5bd1e995
  const length = end - start
  let h = 0x9747b28c ^ length
  let i = start
  for (; i + 4 <= end; i += 4) {
    let k = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)
    k = Math.imul(k, m)
    k ^= k >>> 24
    k = Math.imul(k, m)
    h = Math.imul(h, m) ^ k
  }
  const left = end - i
  if (left === 3) h ^= bytes[i + 2]! << 16
  if (left >= 2) h ^= bytes[i + 1]! << 8
  if (left >= 1) {
    h ^= bytes[i]!
    h = Math.imul(h, m)
  }
  h ^= h >>> 13
  h = Math.imul(h, m)
  return h ^ (h >>> 15)
}

/** The partition that Kafka's default partitioner gives a key. */
export function partitionOf(key: Uint8Array, partitions: number, start = 0, end = key.length): number {
  return (murmur2(key, start, end) & 0x7fffffff) % partitions
}

const BASE32 = '0123456789abcdefghjkmnpqrstvwxyz'

/**
 * A name's own 130-bit fingerprint as 26 characters of Crockford's base 32: five rounds of FNV-1a over the UTF-16
 * units, each with its own start. Not for secrets; for ids that every rebuild of a projection must give again.
 */
export function fingerprint(text: string): string {
  let out = ''
  for (let round = 0; out.length < 26; round++) {
    let h = 0x811c9dc5 ^ Math.imul(round + 1, 0x9e3779b1)
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i)
      h = Math.imul(h ^ (unit & 0xff), 0x01000193)
      h = Math.imul(h ^ (unit >>> 8), 0x01000193)
    }
    h ^= h >>> 15
    h = Math.imul(h, 0x2c1b3c6d)
    h ^= h >>> 12
    for (let n = 0; n < 6 && out.length < 26; n++) out += BASE32[(h >>> (n * 5)) & 31]
  }
  return out
}
