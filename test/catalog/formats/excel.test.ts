import { describe, expect, it } from 'vitest'
import { serialText, styleOf } from '../../../src/catalog/formats/excel/dates.ts'
import { createXmlScanner } from '../../../src/catalog/formats/excel/xml.ts'
import { excel } from '../../../src/catalog/formats/excel.ts'
import { readAll } from '../../kit/files.ts'
import { property } from '../../kit/random.ts'
import { row, workbook, zipFile } from '../../kit/xlsx.ts'
import { wellFormed } from './contract.ts'

const table = row('id', 'n') + row('a', 1) + row('b', 2)
const texts = (rows: Map<number, string>) => [...rows.values()]

describe('excel: where the table is', () => {
  it('takes names from a row, from its number, or gives numbers', async () => {
    const title = row('A title') + row(null, null) + table
    const named = await readAll(excel, workbook({ rows: title }), { options: { header_row: 3 } })
    expect(texts(named.rows)).toEqual(['{"id":"a","n":1}', '{"id":"b","n":2}'])
    const numbered = await readAll(excel, workbook({ rows: table }), { options: { header: false } })
    expect(texts(numbered.rows)[0]).toBe('{"column_1":"id","column_2":"n"}')
    const none = await readAll(excel, workbook({ rows: title }), { options: { header_row: 2 } })
    expect(none.damage?.message).toContain('row 2 of the sheet, which should have the names, is empty')
    const both = { options: { header: false, header_row: 2 } }
    await expect(readAll(excel, workbook({ rows: table }), both)).rejects.toThrow('options.header_row')
  })

  it('finds a sheet by its name and its number, and says what there is', async () => {
    const bytes = workbook({ rows: table, sheetName: 'A &amp; B' })
    for (const sheet of ['A & B', 1]) expect((await readAll(excel, bytes, { options: { sheet } })).count).toBe(2)
    for (const sheet of ['A', 2])
      await expect(readAll(excel, bytes, { options: { sheet } })).rejects.toThrow(
        `no sheet ${JSON.stringify(sheet)}; there are "A & B"`,
      )
    expect((await readAll(excel, bytes)).notices).toContain('the sheet is "A & B"')
  })

  it('reads cells wherever they say they stand, prefixes, shared strings and what Excel escapes', async () => {
    const strings =
      '<si><t>id</t></si><si><r><t xml:space="preserve">a </t></r><r><t>b</t></r><rPh><t>spoken</t></rPh></si><si><t>_x0041__x005F_x0042_</t></si>'
    const rows =
      '<x:row r="3"><x:c r="B3" t="s"><x:v>0</x:v></x:c><x:c t="inlineStr"><x:is><x:t><![CDATA[<n>]]></x:t></x:is></x:c></x:row>' +
      '<!-- nothing --><x:row><x:c r="C4" t="s"><x:v>2</x:v></x:c><x:c r="B4" t="s"><x:v>1</x:v></x:c><x:c r="E4"><x:v>5</x:v></x:c></x:row>'
    const { rows: read } = await readAll(excel, workbook({ rows, strings }))
    expect(texts(read)).toEqual(['{"id":"a b","<n>":"A_x0042_","column_5":5}'])
  })

  it('takes a cell that says its type and has no value for an empty one', async () => {
    const empty = ['inlineStr', 'str', 's', 'b', 'e', 'd', 'n'].map(type => `<c t="${type}"/>`)
    const rows = `${row('id', ...'abcdefg')}<row><c t="inlineStr"><is><t>1</t></is></c>${empty.join('')}</row>`
    const said = '<row><c t="inlineStr"><is><t>2</t></is></c><c t="inlineStr"><is><t/></is></c></row>'
    expect(texts((await readAll(excel, workbook({ rows: rows + said }))).rows)).toEqual([
      '{"id":"1","a":null,"b":null,"c":null,"d":null,"e":null,"f":null,"g":null}',
      '{"id":"2","a":"","b":null,"c":null,"d":null,"e":null,"f":null,"g":null}',
    ])
  })

  it('says so when the row that should have the names is not there', async () => {
    const { damage, rows } = await readAll(excel, workbook({ rows: row('id') + row('a') }), {
      options: { header_row: 99 },
    })
    expect([rows.size, damage?.message]).toEqual([0, expect.stringContaining('row 99 of the sheet')])
  })

  it('knows dates by their format', () => {
    const styles: [string, string][] = [
      ['yyyy-mm-dd', 'date'],
      ['[$-409]d-mmm-yy;@', 'date'],
      ['mmm', 'date'],
      ['m/d/yy h:mm', 'datetime'],
      ['h:mm AM/PM', 'time'],
      ['mm:ss.0', 'time'],
      ['[h]:mm:ss', 'elapsed'],
      ['0.00E+00', 'number'],
      ['[Red]#,##0.00', 'number'],
      ['"days and hours" 0', 'number'],
      ['General', 'number'],
      ['0\\d', 'number'],
    ]
    for (const [code, style] of styles) expect([code, styleOf(code)]).toEqual([code, style])
    expect(serialText(1, 'date', false)).toBe('"1900-01-01"')
    expect(serialText(61, 'date', false)).toBe('"1900-03-01"')
    expect(serialText(45_351.999_988_425_93, 'datetime', false)).toBe('"2024-02-29T23:59:59Z"')
    expect(serialText(45_351, 'datetime', false)).toBe('"2024-02-29T00:00:00Z"')
    expect(serialText(45_351.25, 'date', false)).toBe('"2024-02-29T06:00:00Z"')
    expect(serialText(1, 'date', true)).toBe('"1904-01-02"')
    expect(serialText(1.5, 'elapsed', false)).toBe('"36:00:00"')
    expect(serialText(-1.737_812_5, 'elapsed', false)).toBe('"-41:42:27"')
    expect(serialText(-1, 'date', false)).toBeUndefined()
  })
})

describe('excel: what is wrong in it', () => {
  it('refuses rows with a cell that cannot be, and takes the others', async () => {
    const rows =
      row('id', 'n') +
      '<row><c t="s"><v>7</v></c><c><v>1</v></c></row>' +
      '<row><c t="inlineStr"><is><t>a</t></is></c><c t="b"><v>2</v></c></row>' +
      '<row><c t="inlineStr"><is><t>b</t></is></c><c><v>1e999</v></c></row>' +
      '<row><c t="inlineStr"><is><t>c</t></is></c><c><v>+.5</v></c></row>'
    const reading = await readAll(excel, workbook({ rows }))
    expect(texts(reading.rows)).toEqual(['{"id":"b","n":1e999}', '{"id":"c","n":0.5}'])
    expect(reading.refused).toMatchObject([
      { row: 1, code: 'INVALID_VALUE', column: 'id', value: '7', message: 'id: there is no string number 7' },
      { row: 2, code: 'INVALID_VALUE', column: 'n', value: '2' },
    ])
  })

  it('refuses entities, document types and what they lead to', async () => {
    const doctype = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
    const cases: [string, string][] = [
      [`${doctype}<worksheet>${row('&e;')}</worksheet>`, 'has a document type'],
      [
        '<worksheet><row><c t="inlineStr"><is><t>&e;</t></is></c></row></worksheet>',
        'the entity &e;, which nothing declares',
      ],
      ['<worksheet>&#0;</worksheet>', 'the entity &#0;'],
    ]
    for (const [bytes, message] of cases) {
      const { damage, rows } = await readAll(excel, workbook({ rows: { bytes } }))
      expect(damage?.message).toContain(message)
      expect(rows.size).toBe(0)
    }
    const strings = { bytes: `${doctype}<sst><si><t>&e;</t></si></sst>` }
    expect((await readAll(excel, workbook({ rows: table, strings }))).damage?.message).toContain('has a document type')
  })

  it('stops bombs in the sheet and in the strings, told and untold, before they are in memory', async () => {
    const bomb = Buffer.alloc(60_000_000, ' ')
    const honest = workbook({ rows: { bytes: bomb } })
    expect(honest.length).toBeLessThan(400_000)
    const limits = { maxInflatedBytes: 20_000_000 }
    const before = process.memoryUsage().arrayBuffers
    const told = await readAll(excel, honest, { limits })
    expect(told.damage?.message).toContain('says that it inflates from')
    const untold = await readAll(excel, workbook({ rows: { bytes: bomb, claims: { size: 1000 } } }), { limits })
    expect(untold.damage?.message).toContain('it inflates to more than the 1000 bytes it claims')
    const text = await readAll(excel, workbook({ rows: { bytes: bomb } }))
    expect(text.damage?.message).toContain('a tag or text of more than 1048576 characters')
    const cells = `<worksheet>${row('a').repeat(500_000)}</worksheet>`
    const many = await readAll(excel, workbook({ rows: { bytes: cells } }), { limits: { ...limits, maxGrowth: 1 } })
    expect(many.damage?.message).toContain('says that it inflates from')
    const strings = `<si><t>${'y'.repeat(1000)}</t></si>`.repeat(20_000)
    const held = await readAll(excel, workbook({ rows: table, strings }), { limits: { maxHeldBytes: 1_000_000 } })
    expect(held.damage?.message).toContain('its strings take more than 1000000 bytes')
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(30_000_000)
  })

  it('stops a string of a few bytes that is in a million cells', async () => {
    const strings = `<si><t>${'y'.repeat(100_000)}</t></si>`
    const rows = row('a') + '<row><c t="s"><v>0</v></c></row>'.repeat(2000)
    const { damage, rows: read } = await readAll(excel, workbook({ rows, strings }), {
      limits: { maxInflatedBytes: 10_000_000 },
    })
    expect(damage?.message).toMatch(/its \d+ bytes grow to more than 10000000/)
    expect(read.size).toBeGreaterThan(50)
  })

  it('keeps the rows before a sheet that breaks off, and before a checksum that does not fit', async () => {
    const broken = await readAll(
      excel,
      workbook({ rows: { bytes: `<worksheet>${table}<row><c><v>1</v></row></worksheet>` } }),
    )
    expect(broken.rows.size).toBe(2)
    expect(broken.damage).toMatchObject({ row: 3 })
    expect(broken.damage?.message).toContain('the XML closes row where c is open')
    const bytes = `<worksheet>${table}</worksheet>`
    const flipped = await readAll(excel, workbook({ rows: { bytes, claims: { crc: 1 } } }))
    expect(flipped.rows.size).toBe(2)
    expect(flipped.damage?.message).toContain('its checksum does not fit it')
    const wide = await readAll(excel, workbook({ rows: `${table}<row><c r="ZZZ4"><v>1</v></c></row>` }))
    expect(wide.damage?.message).toContain('more than 16384 columns')
  })

  it('says of other files what they are', async () => {
    const old = Buffer.concat([Buffer.from('d0cf11e0a1b11ae1', 'hex'), Buffer.alloc(1000)])
    expect((await readAll(excel, old)).damage?.message).toContain('an old .xls or has a password')
    expect((await readAll(excel, zipFile([{ name: 'a.txt', bytes: 'x' }]))).damage?.message).toContain(
      'it is not .xlsx',
    )
    expect((await readAll(excel, 'id,n\n')).damage?.message).toContain('the zip file is damaged')
    const outside = workbook({ rows: table, more: [{ name: '../../evil.xml', bytes: 'x' }] })
    expect((await readAll(excel, outside)).damage?.message).toContain('the zip file is damaged: invalid relative path')
    const packed = workbook({ rows: { bytes: '<worksheet/>', claims: { method: 99 } } })
    expect((await readAll(excel, packed)).damage?.message).toContain('its compression, 99, is not known')
  })

  it('bears any change of its XML', async () => {
    const good = `<worksheet a="1" b='2'><sheetData>${table}<row r="9"><c r="B9" t="s"><v>0</v></c></row></sheetData></worksheet>`
    const alphabet = '<>/"\'=&;!?[]- abr19\0'
    await property(150, async random => {
      let bytes = good
      for (let n = random.int(4); n >= 0; n--) {
        const at = random.int(bytes.length)
        bytes = bytes.slice(0, at) + random.pick([...alphabet]) + bytes.slice(at + random.int(3))
      }
      wellFormed(await readAll(excel, workbook({ rows: { bytes }, strings: '<si><t>x</t></si>' })))
    })
  })
})

describe('excel: XML in pieces', () => {
  function scan(text: string, piece: () => number): string[] {
    const told: string[] = []
    const add = (kind: string, what: string) => {
      // Text may come in several pieces.
      if (kind === 'text' && told.at(-1)?.startsWith('text')) told.push(told.pop() + what)
      else told.push(`${kind} ${what}`)
    }
    const scanner = createXmlScanner(
      {
        open: (name, attributes) => add('open', name + attributes),
        text: what => add('text', what),
        close: name => add('close', name),
      },
      { maxToken: 1000, maxDepth: 10 },
    )
    for (let at = 0; at < text.length; ) {
      const next = at + piece()
      scanner.push(text.slice(at, next))
      at = next
    }
    scanner.finish()
    return told
  }

  it('tells the same, however it is cut', async () => {
    const text =
      '\ufeff<?xml version="1.0"?>\n<a x="1>2" y=\'"\'><!-- <b> --><p:b/>t &amp;&#x41;&#66;<![CDATA[<&>]]></a  >\n'
    const whole = scan(text, () => text.length)
    expect(whole).toEqual(['open a x="1>2" y=\'"\'', 'open b', 'close b', 'text t &AB<&>', 'close a'])
    await property(200, random => expect(scan(text, () => 1 + random.int(9))).toEqual(whole))
    expect(scan(text, () => 1)).toEqual(whole)
  })
})
