const RFC3339 = /^(.{19})(?:\.(\d+))?(.+)$/

/** The whole second of an RFC 3339 time, milliseconds since 1970, and the digits of its fraction without outer zeros. */
function partsOf(time: string): [second: number, fraction: string] {
  const [, second, fraction = '', zone] = RFC3339.exec(time.toUpperCase())!
  return [Date.parse(second! + zone), fraction.replace(/0+$/, '')]
}

/** Whether times are written alike, in UTC: then their texts are in the order of the times. */
function alike(a: string, b: string): boolean {
  return a.length === b.length && a.endsWith('Z') && b.endsWith('Z') && a[10] === 'T' && b[10] === 'T'
}

/** Compares two RFC 3339 times as instants, whatever their offsets, to the last digit: below 0 when `a` is the earlier. */
export function compareInstants(a: string, b: string): number {
  if (a === b) return 0
  if (alike(a, b)) return a < b ? -1 : 1
  const [[second, fraction], [otherSecond, otherFraction]] = [partsOf(a), partsOf(b)]
  if (second !== otherSecond) return second - otherSecond
  if (fraction === otherFraction) return 0
  return fraction < otherFraction ? -1 : 1
}

/** The later of two times, the first when they are one instant; the one there is, when there is only one. */
export function laterOf(a: string | null, b: string | null): string | null {
  if (a === null || b === null) return a ?? b
  return compareInstants(a, b) >= 0 ? a : b
}
