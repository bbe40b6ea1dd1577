import { Broken, need } from '../broken.ts'
import type { FormatLimits } from '../format.ts'
import type { Chunk } from './footer.ts'
import { type Budget, createPages, type Page } from './pages.ts'
import { bitWidth, createRle, type Numbers } from './rle.ts'
import type { Node } from './schema.ts'
import { textsOf } from './text.ts'
import { createValues, isDictionaryEncoding, type NextText, RLE } from './values.ts'

/** A column chunk as a row of places, each with its levels and, at the highest definition level, a value. */
export interface Column {
  readonly leaf: Node
  /** The levels at the place the column is at. */
  readonly def: number
  readonly rep: number
  /** Whether it is behind its last place. */
  readonly ended: boolean
  /** The value's JSON text. To be asked for exactly once at a place that has one. */
  text(): string
  advance(): void
  /** Lets everything go that it holds. */
  close(): void
}

const LEVELS = 1024

export function openColumn(fd: number, chunk: Chunk, budget: Budget, limits: FormatLimits): Column {
  const { leaf } = chunk
  const pages = createPages(fd, chunk, budget)
  const texts = textsOf(leaf, limits)
  const defs = new Int32Array(leaf.def > 0 ? LEVELS : 0)
  const reps = new Int32Array(leaf.rep > 0 ? LEVELS : 0)
  let defLevels: Numbers | undefined
  let repLevels: Numbers | undefined
  let next: NextText = () => ''
  let dictionary: string[] | undefined
  let dictionaryBytes = 0
  let pageBytes = 0
  /** Values of the chunk that no page was seen of yet, and of the page that no levels were read of yet. */
  let inChunk = chunk.values
  let inPage = 0
  let index = 0
  let filled = 0
  const column = { def: leaf.def, rep: 0, ended: false }
  /** Whether the next place has to be read before it is looked at: a row that is complete does not depend on it. */
  let waiting = false

  function named<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      if (!(error instanceof Broken)) throw error
      throw new Broken(`the column ${leaf.path}: ${error.message}`, { cause: error, byte: pages.at })
    }
  }

  function readDictionary({ values, bytes }: Page): void {
    const value = createValues(0, leaf, texts, bytes, 0, undefined)
    const read: string[] = []
    while (read.length < values) {
      const text = value()
      const held = text.length * 2 + 32
      dictionaryBytes += held
      budget.hold(held)
      read.push(text)
    }
    dictionary = read
  }

  function openPage(page: Page): void {
    if (page.values > inChunk) throw new Broken(`its pages have more values than the ${chunk.values} the footer claims`)
    inChunk -= page.values
    inPage = page.values
    const { bytes, levels, levelEncodings } = page
    let at = 0
    const levelsOf = (max: number, encoding: number | undefined): Numbers | undefined => {
      if (max === 0) return undefined
      if (encoding !== RLE) throw new Broken(`the encoding ${encoding} of levels is not known`)
      need(at, 4, bytes.length, 'a page')
      const length = bytes.readUInt32LE(at)
      need(at + 4, length, bytes.length, 'a page')
      at += 4 + length
      return createRle(bytes, at - length, at, bitWidth(max), max)
    }
    if (levels) {
      const { repetitionBytes } = levels
      const all = levels.bytes
      repLevels = leaf.rep > 0 ? createRle(all, 0, repetitionBytes, bitWidth(leaf.rep), leaf.rep) : undefined
      defLevels = leaf.def > 0 ? createRle(all, repetitionBytes, all.length, bitWidth(leaf.def), leaf.def) : undefined
    } else {
      repLevels = levelsOf(leaf.rep, levelEncodings?.repetition)
      defLevels = levelsOf(leaf.def, levelEncodings?.definition)
    }
    // A page whose values are all null may have no bytes for them, not even the dictionary's bit width.
    const empty = at === bytes.length && isDictionaryEncoding(page.encoding)
    next = empty ? noValue : createValues(page.encoding, leaf, texts, bytes, at, dictionary)
  }

  function noValue(): string {
    throw new Broken('a page ends too early')
  }

  function nextPage(): void {
    budget.release(pageBytes)
    pageBytes = 0
    const page = pages.next()
    pageBytes = page.held
    if (page.kind === 'data') return openPage(page)
    if (dictionary) throw new Broken('it has a second dictionary')
    readDictionary(page)
  }

  function refill(): void {
    while (inPage === 0 && inChunk > 0) nextPage()
    if (inPage === 0) {
      column.ended = true
      column.def = -1
      column.rep = 0
      return
    }
    filled = Math.min(inPage, LEVELS)
    inPage -= filled
    index = 0
    repLevels?.read(reps, filled)
    defLevels?.read(defs, filled)
    if (leaf.def > 0) column.def = defs[0]!
    if (leaf.rep > 0) column.rep = reps[0]!
  }

  function arrived(): typeof column {
    if (waiting) {
      waiting = false
      named(refill)
    }
    return column
  }

  named(refill)
  return {
    leaf,
    get def() {
      return arrived().def
    },
    get rep() {
      return arrived().rep
    },
    get ended() {
      return arrived().ended
    },
    text() {
      if (waiting) arrived()
      return named(next)
    },
    advance() {
      if (waiting) arrived()
      if (++index < filled) {
        if (leaf.def > 0) column.def = defs[index]!
        if (leaf.rep > 0) column.rep = reps[index]!
      } else waiting = true
    },
    close() {
      budget.release(pageBytes + dictionaryBytes)
      pageBytes = 0
      dictionaryBytes = 0
    },
  }
}
