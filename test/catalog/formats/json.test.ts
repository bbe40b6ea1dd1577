import { closeSync, openSync, writeSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { json } from '../../../src/catalog/formats/json.ts'
import { readAll, withFile } from '../../kit/files.ts'
import { DEFAULT_LIMITS } from '../../kit/limits.ts'
import { property, type Random } from '../../kit/random.ts'
import { wellFormed } from './contract.ts'

describe('json: where the rows are', () => {
  it('any rows come back byte for byte, however they are laid out', async () => {
    await property(40, async random => {
      const rows = Array.from({ length: 1 + random.int(60) }, (_, id) => randomRow(id, random))
      const array = `[${rows.join(random.pick([',', ' ,\n', ',\r\n\t']))} ]`
      const layouts: [string, Record<string, unknown>][] = [
        [array, {}],
        [`${rows.join('\n')}${random.pick(['', '\n', '\r\n'])}`, {}],
        [`{\n "x": "]}", "deep": [1, {"~a/b": ${array}}], "y": [{}]}`, { data_path: '/deep/1/~0a~1b' }],
      ]
      for (const [text, options] of layouts) {
        const bom = random.chance(0.3) ? '\ufeff' : ''
        const reading = await readAll(json, bom + text, { options })
        wellFormed(reading)
        expect([...reading.rows.values()]).toEqual(rows)
        expect(reading.damage).toBeUndefined()
      }
    })
  })

  it('says what there is when a pointer leads nowhere', async () => {
    const text = '{"meta": 1, "result": {"rows": [], "next": null}}'
    await expect(readAll(json, text, { options: { data_path: '/data' } })).rejects.toThrow(
      'options.data_path: the file has nothing at /data; on its way there it has "meta", "result"',
    )
    await expect(readAll(json, text, { options: { data_path: '/result/next' } })).rejects.toThrow('options.data_path')
    await expect(readAll(json, text, { options: { data_path: 'result' } })).rejects.toThrow('a JSON pointer')
    expect(await readAll(json, text, { options: { data_path: '/result' } })).toMatchObject({ count: 1 })
  })

  it('takes an object over several lines for one row, and nothing at all for none', async () => {
    expect((await readAll(json, '{\n "a": [1,\n 2]\n}')).rows.get(1)).toBe('{\n "a": [1,\n 2]\n}')
    for (const text of ['', ' \n\n', '[]', ' [ ] ']) expect(await readAll(json, text)).toMatchObject({ count: 0 })
  })
})

describe('json: what is wrong in it', () => {
  it('refuses what is no object, too deep, too long, or not UTF-8, and takes the rest', async () => {
    const deep = `${'{"a":'.repeat(120)}1${'}'.repeat(120)}`
    const bad = [
      deep,
      '[1]',
      '"text"',
      'null',
      `{"a":"${'x'.repeat(2_000_000)}"}`,
      `{"a":"\xff"}`,
      `{"a":"${'y'.repeat(900_000)}"}`,
    ]
    for (const [open, between, close] of [
      ['[', ',', ']'],
      ['{"x":1}\n', '\n', '\n{"x":2}'],
    ] as const) {
      const { rows, refused } = await readAll(json, Buffer.from(open + bad.join(between) + close, 'latin1'))
      const codes = refused.map(({ code }) => code)
      expect(codes).toEqual([
        'TOO_DEEP',
        'NOT_AN_OBJECT',
        'NOT_AN_OBJECT',
        'NOT_AN_OBJECT',
        'TOO_LONG',
        'INVALID_ENCODING',
      ])
      expect(refused[0]!.original.toString()).toSatisfy((text: string) => text === deep)
      expect(refused[4]).toMatchObject({ originalBytes: 2_000_008 })
      expect(refused[4]!.original).toHaveLength(1_048_576)
      expect([...rows.values()].some(row => row.length === 900_008)).toBe(true)
    }
  })

  it('names the byte that is wrong, after the rows before it', async () => {
    const cases: [string, number, string][] = [
      ['[{"a":1},{"a":nope},{"a":3}]', 14, 'at byte 14, in row 2'],
      ['[{"a":1} {"a":2}]', 9, 'expected "," or "]", found "{" at byte 9'],
      ['[{"a":1},', 9, 'the file ends within the array at byte 9'],
      ['[{"a":1}', 8, 'the file ends within the array at byte 8'],
      ['[{"a":1}] x', 10, 'expected the end of the file, found "x" at byte 10'],
      ['{"a":1}\n{"a":', 13, 'the last line is cut off at byte 13, in row 2'],
      ['{\n"a":1}\n{"b"', 13, 'at byte 13, in row 2'],
    ]
    for (const [text, byte, message] of cases) {
      const { rows, damage } = await readAll(json, text)
      expect([...rows.values()].map(row => JSON.parse(row))).toEqual([{ a: 1 }])
      expect(damage?.message).toContain(message)
      expect(Math.abs(damage!.byte! - byte)).toBeLessThanOrEqual(1)
    }
    const none = await readAll(json, 'id,name\n1,a\n')
    expect(none.damage?.message).toContain('it begins with neither [ nor {')
    const wide = await readAll(json, Buffer.from('\ufeff[{"a":1}]', 'utf16le'))
    expect(wide.damage?.message).toContain('the file is UTF-16')
  })

  it('passes over an element, a line and a member of 30 MB, holding none of them', async () => {
    const big = ['{"id":', '"', '"}'] as const
    const layouts: [string, readonly string[], string, Record<string, unknown>, number][] = [
      ['[{"id":1},', big, ',{"id":3}]', {}, 2],
      ['{"id":1}\n', big, '\n{"id":3}\n', {}, 2],
      ['{"x":', ['["', '', '"]'], ',"rows":[{"id":1},{"id":3}]}', { data_path: '/rows' }, 0],
    ]
    for (const [before, [open, quote, close], after, options, refusedRow] of layouts) {
      await withFile(before, async path => {
        const file = openSync(path, 'a')
        writeSync(file, `${open}${quote}`)
        const megabyte = Buffer.alloc(1_000_000, 'x')
        for (let n = 0; n < 30; n++) writeSync(file, megabyte)
        writeSync(file, `${close}${after}`)
        closeSync(file)
        const { rows, refused, damage } = await readAll(json, { path }, { options })
        expect(damage).toBeUndefined()
        expect([...rows.values()]).toEqual(['{"id":1}', '{"id":3}'])
        expect(refused.map(({ row, code }) => [row, code])).toEqual(refusedRow ? [[refusedRow, 'TOO_LONG']] : [])
        let held = 0
        const beforehand = process.memoryUsage().arrayBuffers
        const look = () => {
          held = Math.max(held, process.memoryUsage().arrayBuffers - beforehand)
        }
        await json.read(path, options, { row: look, refuse: look }, { limits: DEFAULT_LIMITS })
        expect(held).toBeLessThan(10_000_000)
      })
    }
  })
})

/** Rows of a few bytes and of more than a chunk of the file. */
function randomRow(id: number, random: Random): string {
  const values = [
    '1.0',
    '9007199254740993',
    '"é\\u0000\\""',
    '[{}, [ ], "]"]',
    'null',
    '-0',
    '"💩"',
    '{"__proto__": 1}',
  ]
  const filler = random.chance(0.1) ? `, "filler": "${'z'.repeat(random.int(400_000))}"` : ''
  return `{"id":${id}, "v" : ${random.pick(values)}${filler}}`
}
