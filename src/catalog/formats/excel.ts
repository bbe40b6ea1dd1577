import { stat } from 'node:fs/promises'
import { z } from 'zod'
import { Broken, createGrowth, damaged } from './broken.ts'
import { headOf } from './bytes.ts'
import { createCellReader } from './excel/cells.ts'
import { examples } from './excel/examples.ts'
import { readXml } from './excel/parts.ts'
import { createSheetHandler, type SheetRow } from './excel/sheet.ts'
import { createTable, type Table } from './excel/table.ts'
import { openWorkbook } from './excel/workbook.ts'
import { openZip, type Zip } from './excel/zip.ts'
import { defineFormat, type ReadControl, type RowSink } from './format.ts'

const options = z
  .strictObject({
    sheet: z
      .union([z.string(), z.int().min(1)])
      .optional()
      .describe('The name of the sheet, or its number from 1; the first one when left out.'),
    header: z.boolean().default(true).describe('Whether a row has the names; else they are column_1, column_2…'),
    header_row: z
      .int()
      .min(1)
      .optional()
      .describe(
        'The row of the sheet that has the names; the first that is not empty when left out. What is above it is passed over.',
      ),
  })
  .refine(({ header, header_row }) => header || header_row === undefined, {
    path: ['header_row'],
    message: 'there is no row of names when header is false',
  })
type Options = z.output<typeof options>

/** Excel's .xlsx. */
export const excel = defineFormat({
  name: 'excel',
  summary: 'An Excel workbook (.xlsx): one sheet, with dates as dates and numbers exactly as they are in the file.',
  extensions: ['.xlsx', '.xlsm', '.xls'],
  options,
  examples,
  recognises: head => isZip(head) || isOld(head),
  read,
  count: (file, options, control) => read(file, options, undefined, { ...control, after: Number.POSITIVE_INFINITY }),
})

function isZip(head: Buffer): boolean {
  return head.length >= 4 && head.readUInt32LE(0) === 0x04034b50
}

/** The container of .xls, and of a workbook with a password. */
function isOld(head: Buffer): boolean {
  return head.length >= 4 && head.readUInt32BE(0) === 0xd0cf11e0
}

async function read(file: string, options: Options, sink: RowSink | undefined, control: ReadControl): Promise<number> {
  const { limits, signal, onNotice } = control
  signal?.throwIfAborted()
  const table = createTable(options, sink, control)
  let zip: Zip | undefined
  try {
    if (isOld(await headOf(file, 4)))
      throw new Broken('the file is an old .xls or has a password: save it as .xlsx without one')
    const { size } = await stat(file)
    const grown = createGrowth(size, limits)
    zip = await openZip(file, Math.max(limits.maxInflatedBytes, size * limits.maxGrowth), bytes => {
      signal?.throwIfAborted()
      grown(bytes)
    })
    const workbook = await openWorkbook(zip, options.sheet, limits)
    if (options.sheet === undefined) onNotice?.(`the sheet is ${JSON.stringify(workbook.sheetName)}`)
    // Rows are found in a piece of the sheet all at once, and then handed on one by one.
    const found: SheetRow[] = []
    const handler = createSheetHandler(createCellReader(workbook), limits, row => void found.push(row))
    const grownText = createGrowth(size, limits)
    await readXml(zip, workbook.sheet, limits, handler, () =>
      found.length > 0 ? handOn(found, table, grownText) : undefined,
    )
  } catch (error) {
    throw damaged(error, error instanceof Broken && table.number > 0 ? table.number + 1 : 0)
  } finally {
    zip?.close()
  }
  return table.number
}

async function handOn(found: SheetRow[], table: Table, grown: (chars: number) => void): Promise<void> {
  for (const row of found.splice(0)) {
    const wait = table.row(row)
    if (wait) await wait
    grown(row.chars)
  }
}
