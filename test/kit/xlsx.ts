import { crc32, deflateRawSync } from 'node:zlib'

/** Writes zip files and workbooks by hand, so that they can say what is not so. */

export interface Part {
  name: string
  bytes: Buffer | string
  /** What the zip says of it, where that is not so. */
  claims?: { size?: number; crc?: number; method?: number }
}

export function zipFile(parts: readonly Part[]): Buffer {
  const locals: Buffer[] = []
  const directory: Buffer[] = []
  let at = 0
  for (const { name, bytes, claims = {} } of parts) {
    const content = Buffer.from(bytes)
    const packed = deflateRawSync(content)
    const about = Buffer.alloc(26)
    about.writeUInt16LE(20, 0)
    about.writeUInt16LE(claims.method ?? 8, 4)
    about.writeUInt32LE(claims.crc ?? crc32(content), 10)
    about.writeUInt32LE(packed.length, 14)
    about.writeUInt32LE(claims.size ?? content.length, 18)
    about.writeUInt16LE(Buffer.byteLength(name), 22)
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), about, Buffer.from(name), packed])
    const entry = Buffer.concat([Buffer.from('PK\x01\x02\x14\0'), about, Buffer.alloc(14), Buffer.from(name)])
    entry.writeUInt32LE(at, 42)
    locals.push(local)
    directory.push(entry)
    at += local.length
  }
  const all = Buffer.concat(directory)
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06')
  end.writeUInt16LE(parts.length, 8)
  end.writeUInt16LE(parts.length, 10)
  end.writeUInt32LE(all.length, 12)
  end.writeUInt32LE(at, 16)
  return Buffer.concat([...locals, all, end])
}

const SCHEMAS = 'http://schemas.openxmlformats.org'
const OFFICE = `${SCHEMAS}/officeDocument/2006/relationships`

function relationships(targets: Record<string, string>): string {
  const all = Object.entries(targets).map(
    ([type, target]) => `<Relationship Id="${type}" Type="${OFFICE}/${type}" Target="${target}"/>`,
  )
  return `<?xml version="1.0"?><Relationships xmlns="${SCHEMAS}/package/2006/relationships">${all.join('')}</Relationships>`
}

export interface Workbook {
  /** What stands in sheetData, or a whole part. */
  rows: string | Omit<Part, 'name'>
  /** The `si` elements, or a whole part. */
  strings?: string | Omit<Part, 'name'>
  sheetName?: string
  /** Further parts, before the others. */
  more?: Part[]
}

const whole = (given: string | Omit<Part, 'name'>, before: string, after: string): Omit<Part, 'name'> =>
  typeof given === 'string' ? { bytes: before + given + after } : given

export function workbook({ rows, strings, sheetName = 'One', more = [] }: Workbook): Buffer {
  const sheets = `<sheets><sheet name="${sheetName}" sheetId="1" r:id="worksheet"/></sheets>`
  const parts: Part[] = [
    ...more,
    { name: '_rels/.rels', bytes: relationships({ officeDocument: 'xl/workbook.xml' }) },
    { name: 'xl/workbook.xml', bytes: `<workbook xmlns:r="${OFFICE}">${sheets}</workbook>` },
    {
      name: 'xl/_rels/workbook.xml.rels',
      bytes: relationships({ worksheet: '/xl/one.xml', ...(strings && { sharedStrings: 'strings.xml' }) }),
    },
    { name: 'xl/one.xml', ...whole(rows, '<worksheet><sheetData>', '</sheetData></worksheet>') },
  ]
  if (strings) parts.push({ name: 'xl/strings.xml', ...whole(strings, '<sst>', '</sst>') })
  return zipFile(parts)
}

/** A row of inline texts and numbers. */
export function row(...cells: (string | number | null)[]): string {
  const texts = cells.map(cell => {
    if (cell === null) return '<c/>'
    return typeof cell === 'number' ? `<c><v>${cell}</v></c>` : `<c t="inlineStr"><is><t>${cell}</t></is></c>`
  })
  return `<row>${texts.join('')}</row>`
}
