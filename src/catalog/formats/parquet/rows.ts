import { Broken } from '../broken.ts'
import { type FormatLimits, type Refusal, shown } from '../format.ts'
import type { Column } from './column.ts'
import type { Node } from './schema.ts'
import { NOT_UTF8, TOO_LONG } from './text.ts'

/** Puts the columns of a row group together to rows, as JSON text. */
export interface RowAssembler {
  /** Reads the next row. Throws a Broken. */
  next(): void
  /** The row. When it is refused, as much of it as a row may have. */
  readonly text: string
  /** How long it is, all of it. */
  readonly length: number
  /** Why it is refused. */
  readonly refusal: Refusal | undefined
}

type Write = () => void

/**
 * The levels tell what is there: at a definition level below a node's own the node, or one above it, is null or empty, and
 * each column below it has one place that says so; a repetition level of a list's own goes on in that list, and a lower
 * one ends it. `grown` is told of every piece of text, so that a row that goes on for ever is noticed.
 */
export function createRows(
  schema: Node,
  columns: readonly Column[],
  limits: FormatLimits,
  grown: (chars: number) => void,
): RowAssembler {
  let text = ''
  let length = 0
  let refusal: Refusal | undefined

  function put(piece: string): void {
    length += piece.length
    grown(piece.length)
    if (length <= limits.maxRowBytes) text += piece
  }

  function putValue(column: Column): void {
    const value = column.text()
    if (value !== TOO_LONG && value !== NOT_UTF8) return put(value)
    put('null')
    const { path } = column.leaf
    refusal ??=
      value === TOO_LONG
        ? {
            code: 'TOO_LONG',
            column: path,
            value: null,
            message: `${path}: a value of more than ${limits.maxRowBytes} bytes`,
          }
        : { code: 'INVALID_ENCODING', column: path, value: null, message: `${path}: its text is not UTF-8` }
  }

  function writeLeaf(node: Node): Write {
    const column = columns[node.leaf]!
    return () => {
      putValue(column)
      column.advance()
    }
  }

  /** What is written where the node is there, be it optional or one of many. */
  function writePresent(node: Node): Write {
    if (node.children.length === 0) return writeLeaf(node)
    if (node.meaning.kind === 'list' && isListOf(node)) return writeRepeated(node.children[0]!, elementOf(node))
    if (node.meaning.kind === 'map' && isMap(node)) return writeMap(node.children[0]!)
    return writeStruct(node)
  }

  function writeNode(node: Node): Write {
    if (node.repetition === 'repeated') return writeRepeated(node, writePresent(node))
    const present = writePresent(node)
    if (node.repetition === 'required') return present
    const first = columns[node.leaf]!
    return () => {
      if (first.def >= node.def) return present()
      put('null')
      passOver(node)
    }
  }

  function writeStruct(node: Node): Write {
    const parts = node.children.map((child, i) => ({
      key: `${i === 0 ? '{' : ','}${JSON.stringify(child.key)}:`,
      write: writeNode(child),
    }))
    return () => {
      for (const { key, write } of parts) {
        put(key)
        write()
      }
      put('}')
    }
  }

  /** The repeated node and what writes one of its elements. */
  function writeRepeated(node: Node, element: Write | undefined): Write {
    const write = element ?? writeNode(node.children[0]!)
    const first = columns[node.leaf]!
    return () => {
      put('[')
      eachElement(node, first, write)
      put(']')
    }
  }

  function eachElement(node: Node, first: Column, write: Write): void {
    if (first.def < node.def) return passOver(node)
    for (let n = 0; ; n++) {
      if (n > 0) put(',')
      write()
      if (first.rep < node.rep || first.ended) return
    }
  }

  function writeMap(entry: Node): Write {
    const [key, value] = entry.children as [Node, Node | undefined]
    const first = columns[entry.leaf]!
    const keyColumn = columns[key.leaf]!
    const writeValue = value ? writeNode(value) : () => put('null')
    const write = () => {
      const text = keyColumn.text()
      put(text.startsWith('"') ? `${text}:` : `"${text}":`)
      if (text === TOO_LONG || text === NOT_UTF8)
        throw new Broken(`a key of the map ${entry.path} is too long or no text`)
      keyColumn.advance()
      writeValue()
    }
    return () => {
      put('{')
      eachElement(entry, first, write)
      put('}')
    }
  }

  /** What an element of a LIST is: by the rules of the format, also those for old writers. */
  function elementOf(list: Node): Write | undefined {
    const repeated = list.children[0]!
    const old = repeated.name === 'array' || repeated.name === `${list.name}_tuple`
    const isElement = repeated.children.length !== 1 || old || repeated.children[0]!.repetition === 'repeated'
    return isElement ? writePresent(repeated) : undefined
  }

  function passOver(node: Node): void {
    for (let i = node.leaf; i < node.leaf + node.leaves; i++) columns[i]!.advance()
  }

  const writeRow = writeStruct(schema)
  return {
    next() {
      text = ''
      length = 0
      refusal = undefined
      for (const column of columns) {
        if (column.ended || column.rep !== 0)
          throw new Broken(`the column ${column.leaf.path}: it has other rows than the rest`)
      }
      writeRow()
      refusal ??= overLong()
    },
    get text() {
      return text
    },
    get length() {
      return length
    },
    get refusal() {
      return refusal
    },
  }

  function overLong(): Refusal | undefined {
    const { maxRowBytes } = limits
    const bytes = length * 3 > maxRowBytes && length <= maxRowBytes ? Buffer.byteLength(text) : length
    if (bytes <= maxRowBytes) return undefined
    length = bytes
    return {
      code: 'TOO_LONG',
      column: null,
      value: shown(text),
      message: `the row as JSON has ${bytes} bytes, more than ${maxRowBytes}`,
    }
  }
}

function isListOf(node: Node): boolean {
  return node.children.length === 1 && node.children[0]!.repetition === 'repeated'
}

function isMap(node: Node): boolean {
  const entry = node.children[0]!
  const keyed = entry.children.length === 1 || entry.children.length === 2
  return (
    isListOf(node) && keyed && entry.children[0]!.children.length === 0 && entry.children[0]!.repetition !== 'repeated'
  )
}
