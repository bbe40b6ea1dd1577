import { describe, expect, it } from 'vitest'
import { cut } from '../../src/cli/push/chunks.ts'
import { property } from '../kit/random.ts'

/** The byte order mark. */
const MARK = Buffer.from([0xef, 0xbb, 0xbf])
const WHOLE = { bytes: 1_000_000, skip: 0, waitMs: 60_000 }

async function chunksOf(pieces: Iterable<Buffer> | AsyncIterable<Buffer>, options = WHOLE) {
  const chunks = []
  const input = (async function* () {
    yield* pieces
  })()
  for await (const chunk of cut(input, options)) chunks.push(chunk)
  return chunks
}

describe('lines in chunks', () => {
  it('are whole, in order, numbered, and all of them after those that are skipped', () =>
    property(300, async random => {
      const lines = Array.from({ length: random.int(40) }, (_, n) => `${n} ${'ü'.repeat(random.int(30))}\n`)
      const text = Buffer.from(lines.join(''))
      const last = random.int(2) === 0 ? 1 : 0
      const given = text.subarray(0, text.length - last)
      const sent = random.int(2) === 0 ? given : Buffer.concat([MARK, given])
      const pieces: Buffer[] = []
      for (let at = 0; at < sent.length; ) {
        const size = 1 + random.int(60)
        pieces.push(sent.subarray(at, at + size))
        at += size
      }
      const skip = random.int(lines.length + 1)
      const bytes = 1 + random.int(200)
      const chunks = await chunksOf(pieces, { ...WHOLE, bytes, skip })
      expect(Buffer.concat(chunks.map(chunk => chunk.bytes)).toString()).toBe(lines.slice(skip).join(''))
      let next = skip + 1
      for (const { bytes: whole, from, count, through } of chunks) {
        expect([from, count]).toEqual([next, whole.toString().split('\n').length - 1])
        next += count
        const end = Buffer.byteLength(lines.slice(0, next - 1).join(''))
        expect(Math.min(through, given.length)).toBe(Math.min(end, given.length))
      }
      expect(next).toBe(lines.length + 1)
      for (const chunk of chunks.slice(0, -1)) expect(chunk.bytes.length).toBeGreaterThanOrEqual(bytes)
    }))

  it('have of a line that is longer than any may be only so much that it is refused', async () => {
    const piece = Buffer.alloc(1_000_000, ' ')
    const pieces = [
      Buffer.from('{"a":1}\n'),
      ...Array.from({ length: 50 }, () => piece),
      Buffer.from('{"b":1}\n{"c":1}\n'),
    ]
    const chunks = await chunksOf(pieces)
    const lines = Buffer.concat(chunks.map(({ bytes }) => bytes))
      .toString()
      .split('\n')
    expect(lines.map(line => line.length > 2_000_000 && line.length < 4_000_000)).toEqual([false, true, false, false])
    expect([lines[0], lines[2]]).toEqual(['{"a":1}', '{"c":1}'])
    expect(chunks.at(-1)!.through).toBe(50_000_024)
  })

  it('do not wait for ever for more to come', async () => {
    let go: () => void = () => undefined
    const more = new Promise<void>(resolve => {
      go = resolve
    })
    const input = (async function* () {
      yield Buffer.from('1\n2\nhal')
      await more
      yield Buffer.from('f\n')
    })()
    const chunks = cut(input, { ...WHOLE, waitMs: 1 })
    expect((await chunks.next()).value).toMatchObject({ from: 1, count: 2, bytes: Buffer.from('1\n2\n') })
    go()
    expect((await chunks.next()).value).toMatchObject({ from: 3, count: 1, bytes: Buffer.from('half\n') })
    expect((await chunks.next()).done).toBe(true)
  })

  it('cannot skip more than there are', async () => {
    await expect(chunksOf([Buffer.from('1\n2\n')], { ...WHOLE, skip: 3 })).rejects.toThrow('there are only 2 lines')
    await expect(chunksOf([Buffer.from('1\n2')], { ...WHOLE, skip: 3 })).rejects.toThrow('there are only 2 lines')
    expect(await chunksOf([Buffer.from('1\n2\n')], { ...WHOLE, skip: 2 })).toEqual([])
    expect(await chunksOf([Buffer.from('1\n2')], { ...WHOLE, skip: 2 })).toEqual([])
  })

  it('lack nothing that only begins as a byte order mark does', async () => {
    const part = MARK.subarray(0, 2)
    const pieces = [...part].map(byte => Buffer.from([byte]))
    expect((await chunksOf(pieces))[0]!.bytes).toEqual(Buffer.concat([part, Buffer.from('\n')]))
  })
})
