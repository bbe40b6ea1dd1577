const BASE32 = '0123456789abcdefghjkmnpqrstvwxyz'

/**
 * A time-ordered id: a prefix, 10 characters of milliseconds since 1970, and one for each byte of `random` (5 bits of
 * it), in Crockford's base 32, as ULID has it. Ids made later sort later.
 */
export function timeOrderedId(prefix: string, time: number, random: Uint8Array): string {
  let id = ''
  for (let rest = time, n = 0; n < 10; n++, rest = Math.floor(rest / 32)) id = BASE32[rest % 32] + id
  for (const byte of random) id += BASE32[byte & 31]
  return `${prefix}_${id}`
}
