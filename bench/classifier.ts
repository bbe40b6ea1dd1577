/** A text and its class. */
export interface Labelled {
  readonly text: string
  readonly label: string
}

function words(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}']+/gu) ?? []
}

/** Multinomial naive Bayes over words and pairs of words, with add-one smoothing; gives back what says a text's class. */
export function naiveBayes(rows: readonly Labelled[]): (text: string) => string {
  const classes = new Map<string, { rows: number; total: number; counts: Map<string, number> }>()
  const vocabulary = new Set<string>()
  for (const { text, label } of rows) {
    let of = classes.get(label)
    if (!of) {
      of = { rows: 0, total: 0, counts: new Map() }
      classes.set(label, of)
    }
    of.rows++
    for (const term of terms(text)) {
      vocabulary.add(term)
      of.total++
      of.counts.set(term, (of.counts.get(term) ?? 0) + 1)
    }
  }
  return text => {
    const said = [...terms(text)].filter(term => vocabulary.has(term))
    let best = { label: '', score: Number.NEGATIVE_INFINITY }
    for (const [label, { rows: count, total, counts }] of classes) {
      let score = Math.log(count / rows.length)
      for (const term of said) score += Math.log(((counts.get(term) ?? 0) + 1) / (total + vocabulary.size))
      if (score > best.score) best = { label, score }
    }
    return best.label
  }
}

function* terms(text: string): Generator<string> {
  let before = ''
  for (const word of words(text)) {
    yield word
    if (before) yield `${before} ${word}`
    before = word
  }
}

/** Share of the rows whose class is told right. */
export function accuracy(tell: (text: string) => string, rows: readonly Labelled[]): number {
  return rows.filter(({ text, label }) => tell(text) === label).length / rows.length
}
