import type { Refusal } from './format.ts'

/*
 * A page of rows on its way between threads: one text and where each row ends in it. An object a row would be copied one
 * by one on both sides, which costs more than reading the row did.
 */

export interface PackedRows {
  /** The number of the first row; they follow each other without a gap. */
  readonly first: number
  /** The rows' JSON texts, one behind the other; a refused one has none. */
  readonly text: string
  /** For each row where its text ends, in UTF-16 units. */
  readonly ends: Uint32Array
  /** For each row where it begins and ends in the file, in bytes; undefined for a format whose rows have no bytes. */
  readonly places: Float64Array | undefined
  readonly refused: readonly RefusedInPage[]
}

interface RefusedInPage {
  readonly index: number
  readonly refusal: Refusal
  readonly original: Uint8Array
  readonly originalBytes: number
}

export type ReadRow =
  | {
      readonly number: number
      readonly json: string
      /** Where in the file it stands, in bytes. */
      readonly place: { readonly from: number; readonly to: number } | undefined
    }
  | {
      readonly number: number
      readonly refusal: Refusal
      readonly original: Uint8Array
      readonly originalBytes: number
    }

/** Collects rows for a page. */
export function createPacker() {
  let texts: string[] = []
  let places: number[] = []
  let refused: RefusedInPage[] = []
  let first = 0
  const begin = (number: number) => {
    if (texts.length === 0) first = number
  }
  return {
    get count() {
      return texts.length
    },
    row(number: number, json: string, from?: number, to?: number): void {
      begin(number)
      if (from !== undefined && to !== undefined) places.push(from, to)
      texts.push(json)
    },
    refuse(number: number, refusal: Refusal, original: Uint8Array, originalBytes: number): void {
      begin(number)
      refused.push({ index: texts.length, refusal, original, originalBytes })
      places.push(0, 0)
      texts.push('')
    },
    /** The rows so far; the next page begins. */
    take(): PackedRows {
      const ends = new Uint32Array(texts.length)
      let end = 0
      for (let i = 0; i < texts.length; i++) {
        end += texts[i]!.length
        ends[i] = end
      }
      // Rows without places have none at all, but for refused ones, which need none.
      const page = {
        ...{ first, text: texts.join(''), ends, refused },
        places: places.length === 2 * texts.length ? Float64Array.from(places) : undefined,
      }
      texts = []
      places = []
      refused = []
      return page
    },
  }
}

/** The rows of a page, in order. Each is made when it is come to: rows that live as long as their page are dear to collect. */
export function* unpacked({ first, text, ends, places, refused }: PackedRows): Generator<ReadRow, void> {
  let [start, next] = [0, 0]
  for (let index = 0; index < ends.length; index++) {
    const number = first + index
    const end = ends[index]!
    if (refused[next]?.index === index) {
      const { refusal, original, originalBytes } = refused[next++]!
      yield { number, refusal, original, originalBytes }
    } else {
      const place = places && { from: places[2 * index]!, to: places[2 * index + 1]! }
      yield { number, json: text.slice(start, end), place }
    }
    start = end
  }
}
