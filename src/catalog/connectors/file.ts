import { z } from 'zod'
import { membersOf } from '../../kernel/members.ts'
import { idOf } from '../../kernel/record-id.ts'
import { shown } from '../formats/format.ts'
import { type ReadRow, readInThread } from '../formats/thread.ts'
import { defineConnector, type PulledRow } from './connector.ts'

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
  config,
  async *pull({ file_id, format, options, records_count, id_column }, state, context) {
    const after = (state as { row: number } | undefined)?.row ?? 0
    const { pageRows, pageBytes, signal, formatLimits: limits } = context
    const opened = await context.openFile(file_id)
    try {
      const reading = { path: opened.path, format, options, limits, after, pageRows, pageBytes }
      const onNotice = (notice: string) => context.log('info', 'the file was read this way', { notice })
      for await (const read of readInThread(reading, signal, onNotice)) {
        const rows = read.map(row => pulled(row, file_id, id_column))
        yield { rows, state: { row: rows.at(-1)!.number }, total: records_count }
      }
    } finally {
      await opened.close()
    }
  },
  finish: ({ file_id }, { removeFile }) => removeFile(file_id),
})

/** A row with its id: the text of its column, else one that follows from the row's place, so that a resume gives it again. */
function pulled(row: ReadRow, fileId: string, idColumn: string | null): PulledRow {
  const { number } = row
  const ownId = idColumn === null ? `${fileId}-${String(number).padStart(12, '0')}` : null
  if ('refusal' in row) {
    const { column: field, ...why } = row.refusal
    const { original, originalBytes } = row
    return { number, id: ownId, refused: { ...why, field, original, originalBytes } }
  }
  if (ownId !== null) return { number, id: ownId, data: row.json }
  const text = membersOf(row.json).get(idColumn!)
  const id = idOf(text)
  if (id !== undefined) return { number, id, data: row.json }
  const original = Buffer.from(row.json)
  const message = `${idColumn}: expected the record's id, text or a number${text === undefined ? '' : `, got ${shown(text)}`}`
  const why = { code: 'MISSING_FIELD', field: idColumn, value: text === undefined ? null : shown(text), message }
  return { number, id: null, refused: { ...why, original, originalBytes: original.length } }
}
