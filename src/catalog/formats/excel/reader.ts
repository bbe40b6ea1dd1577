import { stat } from 'node:fs/promises'
import { Broken, createGrowth, damaged } from '../broken.ts'
import { headOf } from '../bytes.ts'
import type { Options } from '../excel.ts'
import type { FormatReader, ReadControl, RowSink } from '../format.ts'
import { createCellReader } from './cells.ts'
import { readXml } from './parts.ts'
import { createSheetHandler, type SheetRow } from './sheet.ts'
import { createTable, type Table } from './table.ts'
import { openWorkbook } from './workbook.ts'
import { openZip, type Zip } from './zip.ts'

export const reader: FormatReader<Options> = {
  read,
  count: (file, options, control) => read(file, options, undefined, { ...control, after: Number.POSITIVE_INFINITY }),
}

/** The container of .xls, and of a workbook with a password. */
export function isOld(head: Buffer): boolean {
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
    table.end()
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
