import { z } from 'zod'
import { examples } from './excel/examples.ts'
import { isOld, reader } from './excel/reader.ts'
import { defineFormat } from './format.ts'

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
export type Options = z.output<typeof options>

/** Excel's .xlsx. */
export const excel = defineFormat({
  name: 'excel',
  summary: 'An Excel workbook (.xlsx): one sheet, with dates as dates and numbers exactly as they are in the file.',
  extensions: ['.xlsx', '.xlsm', '.xls'],
  options,
  examples,
  recognises: head => isZip(head) || isOld(head),
  ...reader,
})

function isZip(head: Buffer): boolean {
  return head.length >= 4 && head.readUInt32LE(0) === 0x04034b50
}
