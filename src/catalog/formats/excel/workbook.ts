import { invalid } from '../../../kernel/errors.ts'
import { Broken } from '../broken.ts'
import type { FormatLimits } from '../format.ts'
import { builtInStyle, type Style, styleOf } from './dates.ts'
import { readXml, relationshipsOf } from './parts.ts'
import { NO_STRINGS, readStrings, type SharedStrings } from './strings.ts'
import { attribute } from './xml.ts'
import type { Zip } from './zip.ts'

/** More cell formats than this is no workbook. */
const MAX_STYLES = 1_000_000

/** What is needed to read one sheet. */
export interface Workbook {
  sheetName: string
  /** The part that has the sheet. */
  sheet: string
  /** The styles of cells by their numbers. */
  styles: readonly Style[]
  strings: SharedStrings
  from1904: boolean
}

/**
 * Finds a sheet by its name, or by its number from 1; the first one when neither is given. Throws a Broken, or an invalid
 * `options.sheet` that names the sheets there are.
 */
export async function openWorkbook(
  zip: Zip,
  wanted: string | number | undefined,
  limits: FormatLimits,
): Promise<Workbook> {
  const root = (await relationshipsOf(zip, '', limits)).find(({ type }) => type === 'officeDocument')?.part
  const main = root ?? 'xl/workbook.xml'
  if (!zip.has(main)) throw new Broken('the zip file has no workbook: it is not .xlsx')
  if (main.endsWith('.bin')) throw new Broken('the workbook is binary (.xlsb): save it as .xlsx')
  const { sheets, from1904 } = await readSheets(zip, main, limits)
  const parts = await relationshipsOf(zip, main, limits)
  const tables = sheets.flatMap(({ name, id }) => {
    const part = parts.find(each => each.id === id && each.type === 'worksheet')?.part
    return part === undefined ? [] : [{ name, part }]
  })
  const chosen = choose(tables, wanted)
  const styles = parts.find(({ type }) => type === 'styles')?.part
  const strings = parts.find(({ type }) => type === 'sharedStrings')?.part
  return {
    sheetName: chosen.name,
    sheet: chosen.part,
    styles: styles && zip.has(styles) ? await readStyles(zip, styles, limits) : [],
    strings: strings && zip.has(strings) ? await readStrings(zip, strings, limits) : NO_STRINGS,
    from1904,
  }
}

interface Table {
  name: string
  part: string
}

function choose(tables: readonly Table[], wanted: string | number | undefined): Table {
  const first = tables[0]
  if (!first) throw new Broken('the workbook has no sheet with cells')
  if (wanted === undefined) return first
  const byName = tables.find(({ name }) => name === wanted)
  const chosen = byName ?? tables[Number(wanted) - 1]
  if (chosen) return chosen
  const names = tables.map(({ name }) => JSON.stringify(name)).join(', ')
  throw invalid('options.sheet', `there is no sheet ${JSON.stringify(wanted)}; there are ${names}`)
}

async function readSheets(zip: Zip, part: string, limits: FormatLimits) {
  const sheets: { name: string; id: string }[] = []
  let from1904 = false
  await readXml(zip, part, limits, {
    open(tag, attributes) {
      if (tag === 'workbookPr') from1904 = /^(1|true|on)$/.test(attribute(attributes, 'date1904') ?? '')
      if (tag !== 'sheet') return
      sheets.push({ name: attribute(attributes, 'name') ?? '', id: attribute(attributes, 'id') ?? '' })
      if (sheets.length > limits.maxColumns) throw new Broken(`it has more than ${limits.maxColumns} sheets`)
    },
    text: () => undefined,
    close: () => undefined,
  })
  return { sheets, from1904 }
}

async function readStyles(zip: Zip, part: string, limits: FormatLimits): Promise<Style[]> {
  const codes = new Map<number, Style>()
  const styles: Style[] = []
  let inCells = false
  await readXml(zip, part, limits, {
    open(tag, attributes) {
      if (tag === 'numFmt')
        codes.set(Number(attribute(attributes, 'numFmtId')), styleOf(attribute(attributes, 'formatCode') ?? ''))
      else if (tag === 'cellXfs') inCells = true
      else if (tag === 'xf' && inCells) {
        const id = Number(attribute(attributes, 'numFmtId') ?? 0)
        styles.push(codes.get(id) ?? builtInStyle(id))
      }
      if (styles.length + codes.size > MAX_STYLES) throw new Broken(`it has more than ${MAX_STYLES} styles`)
    },
    text: () => undefined,
    close(tag) {
      if (tag === 'cellXfs') inCells = false
    },
  })
  return styles
}
