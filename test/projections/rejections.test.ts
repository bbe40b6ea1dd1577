import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { RecordRejected } from '../../src/events/index.ts'
import { rejections, rejectionsProjection, replays, shownBytes } from '../../src/projections/rejections.ts'
import { foldedTables, type Sourced } from '../kit/fold.ts'
import { rejection } from '../kit/made-events.ts'
import { property } from '../kit/random.ts'

const bytes = (...parts: (string | number[])[]) => Buffer.concat(parts.map(part => Buffer.from(part as string)))
const restored = ({ original, original_encoding }: ReturnType<typeof shownBytes>) =>
  Buffer.from(original, original_encoding)

const CASES: [string, Buffer, 'utf8' | 'base64'][] = [
  ['nothing', bytes(), 'utf8'],
  ['ASCII', bytes('{"id":"1"}\r\n\t'), 'utf8'],
  ['all of UTF-8', bytes('ä 你好 😀 \u0001\u007f\u0085\u2028\ufffd\uffff'), 'utf8'],
  ['a mark in the middle', bytes('{"a":"\ufeff"}'), 'utf8'],
  ['a mark at the beginning', bytes('\ufeff{}'), 'base64'],
  ['a NUL', bytes('a\0b'), 'base64'],
  ['UTF-16', Buffer.from('\ufeffä', 'utf16le'), 'base64'],
  ['GBK', bytes([0xc4, 0xe3, 0xba, 0xc3]), 'base64'],
  ['half a character', bytes('ok', [0xe4, 0xbd]), 'base64'],
  ['half a surrogate pair', bytes([0xed, 0xa0, 0x80]), 'base64'],
  ['a NUL in two bytes', bytes([0xc0, 0x80]), 'base64'],
  ['a code point beyond the last', bytes([0xf4, 0x90, 0x80, 0x80]), 'base64'],
]

describe('the bytes of a refused row', () => {
  it.each(CASES)('that are %s come back to the byte', (_, original, encoding) => {
    const shown = shownBytes(original)
    expect(shown.original_encoding).toBe(encoding)
    expect(restored(shown).equals(original)).toBe(true)
    expect(shown.original).not.toContain('\0')
  })

  it.each([8191, 8192, 8193, 100_000, 1_048_576])('come back when there are %i of them', length => {
    const original = randomBytes(length)
    original[0] = 0xff
    const shown = shownBytes(original)
    expect(shown).toEqual({ original: original.toString('base64'), original_encoding: 'base64' })
    const text = Buffer.alloc(length, 'ä你😀x')
    expect(restored(shownBytes(text)).equals(text)).toBe(true)
  })

  it('come back whatever they are', () =>
    property(300, random => {
      const choices = [0, 9, 10, 34, 65, 92, 127, 128, 0xbb, 0xbf, 0xc3, 0xe4, 0xef, 0xf0, 0x9f, 0xff]
      const original = Buffer.from(Array.from({ length: random.int(12) }, () => random.pick(choices)))
      const view = Buffer.concat([Buffer.from('before'), original]).subarray(6)
      const shown = shownBytes(view)
      expect(restored(shown).equals(original)).toBe(true)
      expect(shown.original.includes('\0')).toBe(false)
    }))
})

function refused(event: RecordRejected, offset: number): Sourced {
  return { type: 'RecordRejected', event, source: { stream: 'sync.rejected-0', offset, key: event.id } }
}

function replayed(rejection_id: string, at: number, offset: number): Sourced {
  const event = { command_id: 'c', rejection_id, dataset: 'orders', record_id: 'r', mended: true, by: 'cli_1', at }
  const source = { stream: 'sync.replays-1', offset, key: `rejection/${rejection_id}` }
  return { type: 'RejectionReplayed', event, source }
}

it('a refused row is kept with everything that is known of it', () => {
  const tables = foldedTables(rejectionsProjection)
  const original = bytes('{"id":1,"n":9007199254740993}')
  const event = rejection({ original, original_bytes: 5_000_000, job_id: 'job_1', data_only: true, id_at: '/id' })
  tables.fold([refused(event, 7)])
  const { received_at, actor, ...rest } = event
  expect(tables.rows(rejections)).toEqual([
    {
      ...rest,
      ...{ original: '{"id":1,"n":9007199254740993}', original_encoding: 'utf8', at: received_at },
      ...{ data_only: 1, text_only: 0 },
      ...{ upsert: 1, validate: 1, transform: 1 },
      ...{ stream: 'sync.rejected-0', offset: 7 },
    },
  ])
  expect(tables.rows(replays)).toEqual([])
})

it('what came with a NUL is shown with another character in its place, and the rest as it was', () => {
  const tables = foldedTables(rejectionsProjection)
  const event = rejection({ field: 'a\0', message: '"a\0" is \0 unknown', value: '\0', record_id: null, id_at: '/\0' })
  tables.fold([refused(event, 0)])
  const [field, message, value] = ['a\ufffd', '"a\ufffd" is \ufffd unknown', '\ufffd']
  expect(tables.rows(rejections)).toMatchObject([{ field, message, value, record_id: null, id_at: '/\ufffd' }])
})

it('the first replay of a row is the one that counts, also when it is read before the row', () => {
  const tables = foldedTables(rejectionsProjection)
  tables.fold([replayed('rej_1', 100, 4), refused(rejection(), 9), replayed('rej_1', 200, 5)])
  tables.fold([replayed('rej_1', 300, 6), replayed('rej_2', 400, 7)])
  expect(tables.rows(replays)).toEqual([
    { id: 'rej_1', at: 100, stream: 'sync.replays-1', offset: 4 },
    { id: 'rej_2', at: 400, stream: 'sync.replays-1', offset: 7 },
  ])
  expect(tables.rows(rejections)).toMatchObject([{ id: 'rej_1', stream: 'sync.rejected-0', offset: 9 }])
})
