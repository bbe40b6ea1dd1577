/** The word that was probably meant, undefined when none is near. */
export function nearest(given: string, words: readonly string[]): string | undefined {
  const near = words
    .map(word => ({ word, steps: word.startsWith(given) && given !== '' ? 0 : distance(given, word) }))
    .filter(({ word, steps }) => steps <= Math.max(1, Math.floor(Math.max(word.length, given.length) / 3)))
  return near.sort((a, b) => a.steps - b.steps)[0]?.word
}

/** How many letters must be put in, left out, changed, or changed places with the next, to make one of the other. */
function distance(a: string, b: string): number {
  let [before, last] = [[] as number[], Array.from({ length: b.length + 1 }, (_, i) => i)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const changed = last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      row.push(
        Math.min(changed, last[j]! + 1, row[j - 1]! + 1, swapped ? before[j - 2]! + 1 : Number.POSITIVE_INFINITY),
      )
    }
    ;[before, last] = [last, row]
  }
  return last[b.length]!
}
