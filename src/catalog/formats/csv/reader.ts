import { isUtf8 } from 'node:buffer'
import { TextDecoder } from 'node:util'
import { chunks, headOf } from '../bytes.ts'
import { numbered, uniqueColumns } from '../columns.ts'
import type { Options } from '../csv.ts'
import {
  FileDamaged,
  type FormatReader,
  HEAD_BYTES,
  type ReadControl,
  type Refusal,
  type RowSink,
  shown,
  tooLong,
} from '../format.ts'
import { guessDelimiter } from './dialect.ts'
import { asciiKept, createUtf16, type Encoding, findEncoding, toUtf16 } from './encoding.ts'
import { createRowSplitter, type RowSplitter } from './rows.ts'
import { cellText, createRowWriter, type RowWriter } from './write.ts'

export const reader: FormatReader<Options> = {
  read,
  count: (file, options, control) => read(file, options, undefined, { ...control, after: Number.POSITIVE_INFINITY }),
}

interface Dialect {
  encoding: Encoding
  /** What to say besides when bytes are not of it. */
  hint: string
  bom: number
  delimiter: string
}

async function findDialect(file: string, options: Options, { signal, onNotice }: ReadControl): Promise<Dialect> {
  const { encoding, bom, by } = await findEncoding(file, options.encoding, signal)
  let delimiter = options.delimiter
  if (delimiter === undefined) {
    const head = await headOf(file, HEAD_BYTES, bom)
    const guess = guessDelimiter(asciiKept(head, encoding), head.length < HEAD_BYTES, encoding === 'gb18030')
    delimiter = guess.delimiter
    onNotice?.(`the delimiter is ${delimiter === '\t' ? 'a tab' : delimiter}`)
  }
  if (by !== 'given')
    onNotice?.(`the encoding is ${encoding}, by ${by === 'mark' ? 'its byte order mark' : 'its text'}`)
  const hint = by === 'content' ? '; if the file is in another encoding, name it in options.encoding' : ''
  return { encoding, hint, bom, delimiter }
}

async function read(file: string, options: Options, sink: RowSink | undefined, control: ReadControl): Promise<number> {
  const { limits, signal } = control
  const { encoding, hint, bom, delimiter } = await findDialect(file, options, control)
  const rows = createRowSplitter({ ...limits, delimiter, doubleByte: encoding === 'gb18030' })
  const utf16 = encoding.startsWith('utf-16') ? createUtf16(encoding === 'utf-16be') : undefined
  const table = createTable(rows, options, { encoding, hint, bom }, sink, control)
  let bytes = bom
  for await (const chunk of chunks(file, signal, bom)) {
    bytes += chunk.length
    rows.give(utf16 ? utf16.decode(chunk) : chunk)
    while (rows.next()) {
      const wait = table.row()
      if (wait) await wait
    }
  }
  utf16?.finish(table.number + 1, bytes)
  rows.finish()
  while (rows.next()) await table.row()
  if (rows.open) {
    const byte = utf16 ? undefined : bom + rows.open.byte
    const what = `the quote that opens in line ${rows.open.line} is never closed`
    throw new FileDamaged(what, { row: table.number + 1, ...(byte !== undefined && { byte }) })
  }
  return table.number
}

interface Table {
  /** How many rows there were so far, without the header. */
  readonly number: number
  /** Takes the row that the splitter is at. */
  row(): void | Promise<void>
}

function createTable(
  rows: RowSplitter,
  options: Options,
  { encoding, hint, bom }: Pick<Dialect, 'encoding' | 'hint' | 'bom'>,
  sink: RowSink | undefined,
  { limits, after = 0, onNotice, onColumns }: ReadControl,
): Table {
  const decoder =
    encoding === 'gb18030' || encoding === 'windows-1252' ? new TextDecoder(encoding, { fatal: true }) : undefined
  let names: readonly string[] | undefined
  let writer: RowWriter
  let number = 0

  function readHeader(): void {
    const wrong = faultOf(rows, rows.cells)
    if (wrong) throw new FileDamaged(`the header: ${wrong.message}`, { row: 0 })
    if (rows.cells > limits.maxColumns)
      throw new FileDamaged(`the file has ${rows.cells} columns, more than ${limits.maxColumns}`, { row: 0 })
    const found = Array.from({ length: rows.cells }, (_, i) => (options.header ? headerCell(i) : numbered(i)))
    const unique = uniqueColumns(found)
    for (const notice of unique.notices) onNotice?.(notice)
    names = unique.names
    onColumns?.(names)
    writer = createRowWriter(names, options.null_values)
  }

  function headerCell(cell: number): string {
    try {
      return cellText(rows, cell, decoder ?? new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }))
    } catch (cause) {
      throw new FileDamaged(`the header: its column ${cell + 1} is not ${encoding}${hint}`, { row: 0, cause })
    }
  }

  /** What is wrong with the row's shape. */
  function faultOf({ length, misquoted, cells }: RowSplitter, columns: number): Refusal | undefined {
    if (length > limits.maxRowBytes) return tooLong(length, limits)
    if (misquoted >= 0) {
      const column = names?.[misquoted] ?? numbered(misquoted)
      const message = `${column}: there is text after the quote that closes the value`
      return { code: 'INVALID_QUOTES', column, value: null, message }
    }
    if (cells === columns) return undefined
    return {
      code: 'RAGGED_ROW',
      column: null,
      value: null,
      message: `${cells} values, where there are ${columns} columns`,
    }
  }

  /** The first cell whose bytes are wrong for the encoding. */
  function wrongBytes(): Refusal {
    const cell = names!.findIndex((_, i) => !isGood(i))
    const column = names![cell] ?? null
    const value = cell < 0 ? null : shown(cellText(rows, cell))
    return {
      code: 'INVALID_ENCODING',
      column,
      value,
      message: `${column ?? 'the row'}: its bytes are not ${encoding}${hint}`,
    }
  }

  function isGood(cell: number): boolean {
    const bytes = rows.bytes.subarray(rows.start + rows.from[cell]!, rows.start + rows.to[cell]!)
    return decoder ? decodes(decoder, bytes) : isUtf8(bytes)
  }

  function write(): string | undefined {
    if (rows.ascii || (!decoder && isUtf8(rows.bytes.subarray(rows.start, rows.end)))) return writer.fromUtf8(rows)
    if (!decoder) return undefined
    try {
      return writer.decoded(rows, decoder)
    } catch (error) {
      if (error instanceof TypeError) return undefined
      throw error
    }
  }

  function refuse(refusal: Refusal): void | Promise<void> {
    const kept = Buffer.from(rows.bytes.subarray(rows.start, rows.end))
    if (!encoding.startsWith('utf-16')) return sink!.refuse(number, refusal, kept, rows.length)
    const original = toUtf16(kept, encoding === 'utf-16be').subarray(0, limits.maxRowBytes)
    return sink!.refuse(number, refusal, original, Math.max(rows.length, original.length))
  }

  return {
    get number() {
      return number
    },
    row() {
      if (names === undefined && (options.header || rows.length <= limits.maxRowBytes)) {
        readHeader()
        if (options.header) return
      }
      number++
      if (number <= after || !sink) return
      const fault = faultOf(rows, names?.length ?? rows.cells)
      if (fault) return refuse(fault)
      const json = write()
      if (json === undefined) return refuse(wrongBytes())
      if (writer.bytes > limits.maxRowBytes) return refuse(tooLong(writer.bytes, limits, 'the row as JSON'))
      // Of UTF-16 the splitter sees other bytes than the file has.
      if (encoding.startsWith('utf-16')) return sink.row(number, json)
      const from = bom + rows.place
      return sink.row(number, json, from, from + rows.length)
    },
  }
}

function decodes(decoder: TextDecoder, bytes: Buffer): boolean {
  try {
    decoder.decode(bytes)
    return true
  } catch (error) {
    if (error instanceof TypeError) return false
    throw error
  }
}
