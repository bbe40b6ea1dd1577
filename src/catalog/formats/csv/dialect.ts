import { createRowSplitter } from './rows.ts'

export const DELIMITERS = [',', ';', '\t', '|'] as const
const ROWS_LOOKED_AT = 100
const MAX_COLUMNS = 4096

export interface Guess {
  delimiter: string
  columns: number
  /** How many rows of the head were looked at, and how many of them have as many cells as the first. */
  rows: number
  agree: number
}

/**
 * The delimiter by which most rows of the head have as many cells as the first; among equals the one that gives more
 * cells, and then the comma. `head` is text in an encoding that keeps ASCII; `whole` says that the file ends with it.
 */
export function guessDelimiter(head: Buffer, whole: boolean, doubleByte: boolean): Guess {
  const guesses = DELIMITERS.map(delimiter => tryDelimiter(head, whole, doubleByte, delimiter))
  const several = guesses.filter(({ columns }) => columns > 1)
  const best = several.toSorted((a, b) => b.agree / b.rows - a.agree / a.rows || b.columns - a.columns)[0]
  return best ?? guesses[0]!
}

function tryDelimiter(head: Buffer, whole: boolean, doubleByte: boolean, delimiter: string): Guess {
  const splitter = createRowSplitter({ delimiter, maxRowBytes: head.length, maxColumns: MAX_COLUMNS, doubleByte })
  splitter.give(head)
  if (whole) splitter.finish()
  const guess: Guess = { delimiter, columns: 1, rows: 0, agree: 0 }
  while (guess.rows < ROWS_LOOKED_AT && splitter.next()) {
    if (guess.rows === 0) guess.columns = splitter.cells
    guess.rows++
    if (splitter.cells === guess.columns && splitter.misquoted < 0) guess.agree++
  }
  return guess
}
