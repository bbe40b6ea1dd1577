import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parquet } from '../../../src/catalog/formats/parquet.ts'
import { readAll, withFile } from '../../kit/files.ts'
import { DEFAULT_LIMITS } from '../../kit/limits.ts'
import { int32s, type Lies, levels, list, page, parquetFile } from '../../kit/parquet.ts'
import { property } from '../../kit/random.ts'
import { wellFormed } from './contract.ts'

const fixture = (name: string) =>
  fileURLToPath(new URL(`../../fixtures/files/parquet-${name}.parquet`, import.meta.url))
const HUGE = 2 ** 31 - 1
const three = page({ body: Buffer.concat([levels(3, 1), int32s(7, 8, 9)]), values: 3 })
const honest: Lies = { pages: three, rows: 3 }
const required = { 1: 1, 3: 0, 4: 'n' }

describe('parquet: files that lie', () => {
  it('reads the one that does not', async () => {
    const { rows } = await readAll(parquet, parquetFile(honest))
    expect([...rows.values()]).toEqual(['{"n":7}', '{"n":8}', '{"n":9}'])
  })

  const lies: [string, Lies, string][] = [
    [
      'rows of the file',
      { ...honest, fileRows: 2n ** 40n },
      'the footer claims 1099511627776 rows, its row groups have 3',
    ],
    ['rows of the group', { ...honest, rows: 2n ** 40n, chunk: { 5: 3n } }, 'claims 3 values for 1099511627776 rows'],
    ['values of the column', { ...honest, chunk: { 5: 2n ** 62n } }, 'is no whole number that can be'],
    ['fewer than no rows', { ...honest, rows: -3n }, 'a row group claims -3 rows'],
    ['the size of the footer', { ...honest, footerLength: 4_000_000_000 }, 'the footer claims 4000000000 of the'],
    ['columns', { ...honest, schema: list({ 4: 'root', 5: HUGE }, required) }, 'claims more columns than it has'],
    [
      'a schema without end',
      { ...honest, schema: list(...Array(200).fill({ 3: 0, 4: 'g', 5: 1 })) },
      'nested deeper than',
    ],
    ['the place of the pages', { ...honest, chunk: { 7: 2n ** 40n } }, 'claims the bytes from 4 to 1099511627780'],
    ['another file', { ...honest, chunk: { 9: -4n } }, 'claims the bytes from -4'],
    ['digits', { ...honest, element: { ...required, 6: 5, 7: HUGE } }, `a decimal has ${HUGE} digits after the point`],
    ['values of no bytes', { ...honest, element: { 1: 7, 2: 0, 3: 0, 4: 'n' } }, 'values of 0 bytes'],
    ['a compression', { ...honest, codec: 77 }, 'the compression 77 is not known'],
  ]
  it.each(lies)('about %s', async (_, lie, message) => {
    const { rows, damage } = await readAll(parquet, parquetFile(lie))
    expect(damage?.message).toContain(message)
    expect(rows.size).toBe(0)
  })

  const body = int32s(7, 8, 9)
  const pages: [string, Buffer, string][] = [
    ['its values', page({ body, values: HUGE }), 'more values than the 3 the footer claims'],
    ['fewer values than none', page({ body, values: -1 }), 'a page claims -1 values'],
    ['its size', page({ body, values: 3, compressed: HUGE }), `a page claims ${HUGE} bytes`],
    ['its size, being nothing', page({ body: Buffer.alloc(0), values: 3 }), 'a page of values ends too early'],
    ['its inflated size', page({ body, values: 3, size: HUGE }), 'bytes at once, more than 268435456'],
    ['its inflated size, a little', page({ body, values: 3, size: 1000 }), 'has 12 bytes, where it claims 1000'],
    ['its checksum', page({ body, values: 3, crc: 12345 }), 'the checksum of a page does not fit'],
    ['its encoding', page({ body, values: 3, encoding: 66 }), 'the encoding 66 of INT32 is not known'],
    ['having a dictionary', page({ body, values: 3, encoding: 8 }), 'there is no dictionary'],
    ['being there', Buffer.alloc(0), 'fewer values than the footer claims'],
  ]
  it.each(pages)('about a page: %s', async (_, bytes, message) => {
    const { damage } = await readAll(parquet, parquetFile({ pages: bytes, rows: 3, element: required }))
    expect(damage?.message).toContain(message)
    expect(damage?.message).toContain('the column n')
  })

  it('about levels above the highest, and the length of what values share', async () => {
    const above = page({ body: Buffer.concat([levels(3, 3), body]), values: 3 })
    expect((await readAll(parquet, parquetFile({ pages: above, rows: 3 }))).damage?.message).toContain(
      'the number 3 is above 1',
    )
    // One value each, as differences: it shares 5 bytes with none before it, and has 2 of its own.
    const shared = page({ body: Buffer.from('800104010a8001040104' + '6162', 'hex'), values: 1, encoding: 7 })
    const text = { 1: 6, 3: 0, 4: 'n', 6: 0 }
    const { damage, rows } = await readAll(parquet, parquetFile({ pages: shared, rows: 1, element: text }))
    expect(damage?.message).toContain('the value before ends too early')
    expect(rows.size).toBe(0)
  })

  it('keeps the rows before a page that is wrong', async () => {
    const bad = page({ body: int32s(1, 2, 3), values: 3, crc: 1 })
    const good = page({ body: int32s(7, 8, 9), values: 3 })
    const { rows, damage } = await readAll(
      parquet,
      parquetFile({ pages: Buffer.concat([good, bad]), rows: 6, element: required }),
    )
    expect([...rows.values()]).toEqual(['{"n":7}', '{"n":8}', '{"n":9}'])
    expect(damage).toMatchObject({ row: 4, byte: 4 + good.length })
  })

  it('about runs and dictionaries that are longer than all memory', async () => {
    const run = Buffer.from([1, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0])
    const dictionary = page({ body: int32s(5), values: HUGE, dictionary: true })
    const shorter = page({ body: int32s(5), values: 1, dictionary: true })
    const indexed = page({ body: run, values: 3, encoding: 8 })
    const file = (...parts: Buffer[]) => parquetFile({ pages: Buffer.concat(parts), rows: 3, element: required })
    expect((await readAll(parquet, file(dictionary, indexed))).damage?.message).toContain(
      'a page of values ends too early',
    )
    expect((await readAll(parquet, file(shorter, indexed))).rows.get(3)).toBe('{"n":5}')
    const wrong = page({ body: Buffer.from([1, 6, 1]), values: 3, encoding: 8 })
    expect((await readAll(parquet, file(shorter, wrong))).damage?.message).toContain('number 1 of a dictionary of 1')
    expect((await readAll(parquet, file(shorter, shorter, indexed))).damage?.message).toContain('a second dictionary')
  })

  it('stops a file of a few bytes that grows for ever, in rows or in one row', async () => {
    const many = 1_000_000_000
    const limits = { maxInflatedBytes: 100_000 }
    const nulls = page({ body: levels(many, 0), values: many })
    const rows = await readAll(parquet, parquetFile({ pages: nulls, rows: many }), { limits })
    expect(rows.damage?.message).toMatch(/its \d+ bytes grow to more than 100000/)
    expect(rows.rows.size).toBe(0)
    const long = page({ body: Buffer.concat([levels(1500, 1), Buffer.alloc(6000)]), values: 1500 })
    const texts = await readAll(
      parquet,
      parquetFile({ pages: long, rows: 1500, element: { 1: 1, 3: 1, 4: 'n'.repeat(80) } }),
      { limits: { ...limits, maxGrowth: 1 } },
    )
    expect(texts.damage?.message).toMatch(/its \d+ bytes grow to more than 100000/)
    expect(texts.rows.size).toBeGreaterThan(1000)
    // A repeated column: one row whose list has a thousand million nothings.
    const one = Buffer.concat([levels(1, 0), levels(1, 1), int32s(7)])
    const first = page({ body: one, values: 1 })
    const rest = page({ body: Buffer.concat([levels(many, 1), levels(many, 1)]), values: many })
    const pages = Buffer.concat([first, rest])
    const element = { 1: 1, 3: 2, 4: 'n' }
    const row = await readAll(parquet, parquetFile({ pages, rows: 1, element, chunk: { 5: BigInt(many + 1) } }), {
      limits,
    })
    expect(row.damage?.message).toMatch(/ends too early|grow to more/)
  })
})

describe('parquet: what it holds', () => {
  it('reads a file of 3,000,000 rows holding a few pages of it', async () => {
    const path = fileURLToPath(new URL('../../../node_modules/vega-datasets/data/flights-3m.parquet', import.meta.url))
    const before = process.memoryUsage().arrayBuffers
    let most = 0
    let last = ''
    const row = (number: number, json: string) => {
      if (number % 50_000 === 0) most = Math.max(most, process.memoryUsage().arrayBuffers - before)
      last = json
    }
    const sink = { row, refuse: () => Promise.reject(new Error('refused')) }
    const after = 2_400_000
    expect(await parquet.read(path, {}, sink, { limits: DEFAULT_LIMITS, after })).toBe(3_000_000)
    expect(last).toBe('{"date":"2001-07-01T00:00:00Z","delay":33,"distance":373,"origin":"ATL","destination":"CVG"}')
    expect(most).toBeLessThan(60_000_000)
  })

  it('refuses to hold more pages than it may', async () => {
    const { damage } = await readAll(parquet, { path: fixture('types') }, { limits: { maxHeldBytes: 200 } })
    expect(damage?.message).toMatch(/its pages need \d+ bytes at once, more than 200/)
  })

  it('refuses rows of columns that are too long or are not UTF-8', async () => {
    const texts = [Buffer.from('ok'), Buffer.from([0xc3, 0x28]), Buffer.from('x'.repeat(100)), Buffer.from('end')]
    const body = Buffer.concat(texts.flatMap(text => [int32s(text.length), text]))
    const element = { 1: 6, 3: 0, 4: 't', 6: 0 }
    const file = parquetFile({ pages: page({ body, values: 4 }), rows: 4, element })
    const { rows, refused } = await readAll(parquet, file, { limits: { maxRowBytes: 80 } })
    expect([...rows]).toEqual([
      [1, '{"t":"ok"}'],
      [4, '{"t":"end"}'],
    ])
    expect(refused).toMatchObject([
      { row: 2, code: 'INVALID_ENCODING', column: 't' },
      { row: 3, code: 'TOO_LONG', column: 't' },
    ])
  })
})

describe('parquet: files that were damaged', () => {
  it.each(['types-v2', 'nested', 'nested-v2', 'lz4', 'snappy', 'zstd', 'delta', 'lengths', 'duckdb'])(
    '%s',
    async name => {
      const bytes = readFileSync(fixture(name))
      await withFile(bytes, async () => {
        await property(60, async random => {
          const copy = Buffer.from(bytes)
          // The footer is at the end: it is hit as often as the pages.
          for (let n = random.int(4); n >= 0; n--) {
            const at = random.chance(0.5)
              ? random.int(copy.length)
              : copy.length - 1 - random.int(Math.min(2000, copy.length))
            copy[at] = random.chance(0.5) ? random.int(256) : copy[at]! ^ (1 << random.int(8))
          }
          wellFormed(await readAll(parquet, copy, { limits: { maxInflatedBytes: 1_000_000, maxGrowth: 1 } }))
        })
      })
    },
  )
})
