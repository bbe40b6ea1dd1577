import { expect, it } from 'vitest'
import { createRowSplitter } from '../../../../src/catalog/formats/csv/rows.ts'
import { property } from '../../../kit/random.ts'

const LIMIT = 20

/** Everything that a splitter says of a text that comes in pieces of that many bytes. */
function split(bytes: Buffer, pieces: () => number, doubleByte: boolean): unknown[] {
  const rows = createRowSplitter({ delimiter: '|', maxRowBytes: LIMIT, maxColumns: 4, doubleByte })
  const found: unknown[] = []
  const take = () => {
    while (rows.next()) {
      const { length, cells, ascii, misquoted } = rows
      const text = rows.bytes.toString('latin1', rows.start, rows.end)
      const known =
        length > LIMIT ? [] : [...rows.from.slice(0, cells), ...rows.to.slice(0, cells), ...rows.flags.slice(0, cells)]
      found.push({ text, length, cells, ascii, misquoted, known })
    }
  }
  for (let at = 0; at < bytes.length; ) {
    const piece = bytes.subarray(at, at + pieces())
    rows.give(piece)
    at += piece.length
    take()
  }
  rows.finish()
  take()
  return [...found, rows.open]
}

it('finds the same rows in a text that comes byte by byte, in pieces and whole', async () => {
  await property(400, random => {
    const alphabet = Buffer.from([0x61, 0x62, 0x7c, 0x22, 0x22, 0x0a, 0x0d, 0x5c, 0x00, 0xd6, 0x81, 0xc4])
    const bytes = Buffer.from(Array.from({ length: random.int(200) }, () => alphabet[random.int(alphabet.length)]!))
    const doubleByte = random.chance(0.5)
    const whole = split(bytes, () => bytes.length, doubleByte)
    expect(split(bytes, () => 1, doubleByte)).toEqual(whole)
    expect(split(bytes, () => 1 + random.int(50), doubleByte)).toEqual(whole)
  })
})
