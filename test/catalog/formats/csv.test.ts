import { closeSync, openSync, writeSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { csv } from '../../../src/catalog/formats/csv.ts'
import { readAll, withFile } from '../../kit/files.ts'
import { DEFAULT_LIMITS } from '../../kit/limits.ts'
import { property, type Random } from '../../kit/random.ts'
import { wellFormed } from './contract.ts'

const objects = (rows: Map<number, string>) => [...rows.values()].map(json => JSON.parse(json))

describe('csv: how it is written', () => {
  it('any table comes back as it was, however it is quoted, cut and encoded', async () => {
    await property(150, async random => {
      const columns = 2 + random.int(4)
      const table = Array.from({ length: 1 + random.int(30) }, () =>
        Array.from({ length: columns }, () => randomCell(random)),
      )
      const delimiter = random.pick([',', ';', '\t', '|', '^'])
      const newline = random.pick(['\n', '\r\n', '\r'])
      const lines = table.map(row => row.map(cell => quote(cell, delimiter, random)).join(delimiter))
      const text = lines.join(newline) + (random.chance(0.5) ? newline : '')
      const encoding = random.pick(['utf-8', 'utf-16le', 'utf-16be'] as const)
      const options = { delimiter, header: false, ...(random.chance(0.5) && { encoding }) }
      const reading = await readAll(csv, encode(`\ufeff${text}`, encoding), { options })
      wellFormed(reading)
      expect(objects(reading.rows).map(row => Object.values(row))).toEqual(table)
    })
  })

  it('finds the delimiter', async () => {
    const cases: [string, string][] = [
      ['a,b\n1,2\n', ','],
      ['a;b\n1,5;2,5\n', ';'],
      ['a\tb\n"x\ty"\t2\n', '\t'],
      ['a|b|c\n1,2|3|4\n', '|'],
      ['name\nx\n', ','],
      ['a;b\n"1,1,1\n1,1";2\n3;4', ';'],
    ]
    for (const [text, delimiter] of cases) {
      const { notices, refused } = await readAll(csv, text)
      expect(notices).toContain(`the delimiter is ${delimiter === '\t' ? 'a tab' : delimiter}`)
      expect(refused).toEqual([])
    }
  })

  it('tells GB 18030 from UTF-8 by text that comes late, and a damaged UTF-8 from both', async () => {
    const padding = Buffer.from(`id,city\n${'1,plain\n'.repeat(50_000)}`)
    const chinese = Buffer.from('sbG+qbOks8c=', 'base64')
    const gbk = Buffer.concat([padding, Buffer.from('2,'), chinese, Buffer.from('\n')])
    expect(objects((await readAll(csv, gbk)).rows).at(-1)).toEqual({ id: '2', city: '北京长城' })
    const latin = Buffer.concat([padding, Buffer.from('2,M\xfcnchen\n3,', 'latin1'), Buffer.from('Köln\n4,Łódź\n')])
    const { rows, refused } = await readAll(csv, latin)
    expect(objects(rows).slice(-2)).toEqual([
      { id: '3', city: 'Köln' },
      { id: '4', city: 'Łódź' },
    ])
    expect(refused).toMatchObject([{ row: 50_001, code: 'INVALID_ENCODING', column: 'city', value: 'M\ufffdnchen' }])
    expect(refused[0]!.original).toEqual(Buffer.from('2,M\xfcnchen', 'latin1'))
    expect(objects((await readAll(csv, latin, { options: { encoding: 'Latin1' } })).rows)[50_000].city).toBe('München')
  })

  it('takes a | inside of a character of GB 18030 for a part of it', async () => {
    // 0x81 0x7C is one character, the second 0x7C is the delimiter.
    const bytes = Buffer.concat([Buffer.from('a|b\n'), Buffer.from([0x81, 0x7c, 0x7c, 0xd6, 0xd0]), Buffer.from('\n')])
    const { rows } = await readAll(csv, bytes, { options: { delimiter: '|', encoding: 'gbk' } })
    expect(objects(rows)).toEqual([{ a: '亅', b: '中' }])
  })
})

describe('csv: what is wrong in it', () => {
  it('refuses a ragged row with its bytes and both numbers', async () => {
    const { rows, refused } = await readAll(csv, 'a,b\n1,2\n"x,\n"\n1,2,3\n5,6')
    expect([...rows.keys()]).toEqual([1, 4])
    expect(refused).toMatchObject([
      { row: 2, code: 'RAGGED_ROW', message: '1 values, where there are 2 columns' },
      { row: 3, code: 'RAGGED_ROW', message: '3 values, where there are 2 columns' },
    ])
    expect(refused.map(({ original }) => original.toString())).toEqual(['"x,\n"', '1,2,3'])
  })

  it('keeps NUL bytes as text', async () => {
    const { rows } = await readAll(csv, 'a,b\n1,x\0y\n')
    expect(rows.get(1)).toBe('{"a":"1","b":"x\\u0000y"}')
  })

  it('refuses half a surrogate pair of UTF-16 and keeps its bytes', async () => {
    const bytes = Buffer.concat([
      Buffer.from('\ufeffa,b\n1,', 'utf16le'),
      Buffer.from([0x00, 0xd8]),
      Buffer.from('\n2,ok\n', 'utf16le'),
    ])
    const { rows, refused } = await readAll(csv, bytes)
    expect(objects(rows)).toEqual([{ a: '2', b: 'ok' }])
    expect(refused).toMatchObject([{ row: 1, code: 'INVALID_ENCODING', column: 'b' }])
    expect(refused[0]!.original.toString('hex')).toBe('31002c0000d8')
    const cut = await readAll(csv, bytes.subarray(0, -3))
    expect(cut.damage?.message).toContain('the file ends within a character')
  })

  it('refuses a cell of 30 MB and a line of 30 MB, holding neither', async () => {
    await withFile('a,b\n1,2\n', async path => {
      const file = openSync(path, 'a')
      const megabyte = Buffer.alloc(1_000_000, 'x')
      for (const [before, after] of [
        ['3,"', '"\n4,5\n'],
        ['', '\n6,7\n'],
      ] as const) {
        writeSync(file, before)
        for (let n = 0; n < 30; n++) writeSync(file, megabyte)
        writeSync(file, after)
      }
      closeSync(file)
      const { rows, refused } = await readAll(csv, { path })
      expect([...rows.keys()]).toEqual([1, 3, 5])
      expect(refused).toMatchObject([
        {
          row: 2,
          code: 'TOO_LONG',
          originalBytes: 30_000_004,
          message: 'the row has 30000004 bytes, more than 1048576',
        },
        { row: 4, code: 'TOO_LONG', originalBytes: 30_000_000 },
      ])
      expect(refused[0]!.original.toString('latin1', 0, 5)).toBe('3,"xx')
      expect(refused[0]!.original).toHaveLength(1_048_576)
      const held = await heldWhile(path)
      expect(held).toBeLessThan(10_000_000)
    })
  })

  it('names the line where a quote opened that nothing closes', async () => {
    const { rows, damage } = await readAll(csv, `a,b\n1,"x\ny"\n2,"${'lost,\n'.repeat(500_000)}`)
    expect([...rows.keys()]).toEqual([1])
    expect(damage).toMatchObject({ row: 2, byte: 14 })
    expect(damage?.message).toBe('the quote that opens in line 4 is never closed at byte 14, in row 2')
  })

  it('fails before the first row when the header is of no use', async () => {
    const wide = await readAll(csv, `${'a,'.repeat(20)}b\n`, { limits: { maxColumns: 20 } })
    expect(wide.damage?.message).toBe('the file has 21 columns, more than 20')
    const long = await readAll(csv, `${'a'.repeat(2000)}\n`, { limits: { maxRowBytes: 1000 } })
    expect(long.damage?.message).toContain('the header: the row has 2000 bytes')
    const bytes = await readAll(csv, Buffer.from('a,\xfc\n1,2\n', 'latin1'))
    expect(bytes.damage?.message).toContain('column 2 is not utf-8')
  })

  it('refuses options that mean nothing', async () => {
    for (const options of [{ delimiter: '"' }, { delimiter: 'ab' }, { encoding: 'klingon' }, { header: 'yes' }])
      await expect(readAll(csv, 'a\n', { options })).rejects.toThrow(`options.${Object.keys(options)[0]}`)
  })

  it('says which columns it renamed', async () => {
    const { notices } = await readAll(csv, 'a,a,\n1,2,3\n')
    expect(notices).toContain('column 2 is called "a_2": its name in the file is "a"')
    expect(notices).toContain('column 3 is called "column_3": its name in the file is ""')
  })
})

/** The most bytes of buffers alive at a row or refusal, beside those alive before. */
async function heldWhile(path: string): Promise<number> {
  const before = process.memoryUsage().arrayBuffers
  let most = 0
  const look = () => {
    most = Math.max(most, process.memoryUsage().arrayBuffers - before)
  }
  await csv.read(path, { header: true, null_values: [] }, { row: look, refuse: look }, { limits: DEFAULT_LIMITS })
  return most
}

function randomCell(random: Random): string {
  const pieces = [
    'a',
    'b1',
    ' ',
    ',',
    ';',
    '|',
    '\t',
    '^',
    '"',
    '""',
    '\n',
    '\r\n',
    '\\',
    'é',
    '中文',
    '💩',
    '\0',
    'x'.repeat(70),
  ]
  return Array.from({ length: random.int(6) }, () => random.pick(pieces)).join('')
}

function quote(cell: string, delimiter: string, random: Random): string {
  const must = cell.includes(delimiter) || /[\r\n]/.test(cell) || cell.startsWith('"') || cell === ''
  return must || random.chance(0.2) ? `"${cell.replaceAll('"', '""')}"` : cell
}

function encode(text: string, encoding: 'utf-8' | 'utf-16le' | 'utf-16be'): Buffer {
  if (encoding === 'utf-8') return Buffer.from(text)
  const bytes = Buffer.from(text, 'utf16le')
  return encoding === 'utf-16be' ? bytes.swap16() : bytes
}
