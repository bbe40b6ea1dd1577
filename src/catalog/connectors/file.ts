import { closeSync, openSync, readSync } from 'node:fs'
import { z } from 'zod'
import { membersOf } from '../../kernel/members.ts'
import { idOf } from '../../kernel/record-id.ts'
import { shown } from '../formats/format.ts'
import { type PackedRows, type ReadRow, unpacked } from '../formats/packed.ts'
import { readInThread } from '../formats/thread.ts'
import { defineConnector, type PulledRow, type PulledRows } from './connector.ts'

const config = z.object({
  file_id: z.string(),
  filename: z.string(),
  size_bytes: z.int(),
  format: z.string(),
  /** As `checkOptions` gave them. */
  options: z.record(z.string(), z.unknown()),
  records_count: z.int(),
  id_column: z.string().nullable(),
})

export type FileConfig = z.infer<typeof config>

/** What was uploaded to `/push/file`. Its state is the number of the last row that is in. */
export const file = defineConnector({
  type: 'file',
  summary: 'Takes the rows of an uploaded file: csv, json, parquet or excel.',
  madeBy: 'POST /push/file',
  heavy: 'thread',
  config,
  async *pull({ file_id, format, options, records_count, id_column }, state, context) {
    const after = (state as { row: number } | undefined)?.row ?? 0
    const { pageRows, pageBytes, signal, formatLimits: limits } = context
    const { path } = await context.openFile(file_id)
    const reading = { path, format, options, limits, after, pageRows, pageBytes }
    const onNotice = (notice: string) => context.log('info', 'the file was read this way', { notice })
    for await (const page of readInThread(reading, signal, onNotice)) {
      const rows = rowsOf(page, row => pulled(row, path, file_id, id_column))
      const state = { row: page.first + rows.length - 1 }
      const refused = page.refused.reduce((sum, { original }) => sum + original.length, 0)
      yield { rows, bytes: page.text.length + refused, state, total: records_count }
    }
  },
  finish: ({ file_id }, { removeFile }) => removeFile(file_id),
})

/** The rows of a page, each made when it is come to. */
function rowsOf(page: PackedRows, made: (row: ReadRow) => PulledRow): PulledRows {
  return {
    length: page.ends.length,
    *[Symbol.iterator]() {
      for (const row of unpacked(page)) yield made(row)
    },
  }
}

/** A row with its id: the text of its column, else one that follows from the row's place, so that a resume gives it again. */
function pulled(row: ReadRow, path: string, fileId: string, idColumn: string | null): PulledRow {
  const { number } = row
  const ownId = idColumn === null ? `${fileId}-${String(number).padStart(12, '0')}` : null
  if ('refusal' in row) {
    const { column: field, ...why } = row.refusal
    const { original, originalBytes } = row
    return { number, id: ownId, refused: { ...why, field, original, originalBytes } }
  }
  const { json: data, place } = row
  const text = idColumn === null ? undefined : membersOf(data).get(idColumn)
  const id = ownId ?? idOf(text)
  const original = () => (place ? bytesAt(path, place.from, place.to) : Buffer.from(data))
  if (id !== undefined) return place ? { number, id, data, original } : { number, id, data }
  const message = `${idColumn}: expected the record's id, text or a number${text === undefined ? '' : `, got ${shown(text)}`}`
  const why = { code: 'MISSING_FIELD', field: idColumn, value: text === undefined ? null : shown(text), message }
  const bytes = original()
  return { number, id: null, refused: { ...why, original: bytes, originalBytes: bytes.length, data } }
}

/** A row as the file has it; rows are at most as long as a line may be. */
function bytesAt(path: string, from: number, to: number): Buffer {
  const bytes = Buffer.alloc(to - from)
  const file = openSync(path, 'r')
  try {
    for (let filled = 0; filled < bytes.length; ) {
      const read = readSync(file, bytes, filled, bytes.length - filled, from + filled)
      if (read === 0) throw new Error(`an uploaded file ends at ${from + filled} and has a row to ${to}`)
      filled += read
    }
    return bytes
  } finally {
    closeSync(file)
  }
}
