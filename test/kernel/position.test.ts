import { describe, expect, it } from 'vitest'
import { DomainError } from '../../src/kernel/errors.ts'
import {
  butForLast,
  decodePosition,
  encodePosition,
  eventAt,
  mergePositions,
  offsetIn,
  type Position,
  positionAt,
  streamName,
  TOTAL_ORDER,
} from '../../src/kernel/position.ts'
import { property, type Random } from '../kit/random.ts'

const LOG = '1f3a9c02'
const STREAMS = [TOTAL_ORDER, ...[0, 1, 2, 11].map(partition => streamName('sync.records', partition)), 'a_b.C-9']

function randomPosition(random: Random, streams = STREAMS): Position {
  const offsets = new Map<string, number>()
  for (const stream of streams) {
    const offset = random.pick([0, 1, 35, 36, 2 ** 31, Number.MAX_SAFE_INTEGER])
    const half = offset < 2 ** 52 && random.chance(0.3)
    if (random.chance(0.5)) offsets.set(stream, half ? butForLast(offset) : offset)
  }
  return { log: LOG, offsets }
}

function failure(text: string, field = 'min_position'): DomainError {
  try {
    decodePosition(text, LOG, field)
  } catch (error) {
    if (error instanceof DomainError) return error
    throw error
  }
  throw new Error(`${JSON.stringify(text)} was taken for a position`)
}

describe('a position', () => {
  it('comes back from its text, which a URL takes as it is', () =>
    property(500, random => {
      const position = randomPosition(random)
      const text = encodePosition(position)
      expect(encodeURIComponent(text)).toBe(text)
      expect(decodePosition(text, LOG, 'since')).toEqual(position)
    }))

  it('at the beginning is the log alone, also when a stream has an offset before the first', () => {
    const empty: Position = { log: LOG, offsets: new Map() }
    expect(encodePosition(empty)).toBe(`${LOG}~`)
    expect(decodePosition(`${LOG}~`, LOG, 'since')).toEqual(empty)
    expect(encodePosition(positionAt(LOG, 'sync.records-0', -1))).toBe(`${LOG}~`)
    expect(offsetIn(empty, 'sync.records-0')).toBe(-1)
  })

  it('of an event but for its last message comes after the event before it and before the event', () => {
    for (const offset of [0, 1, 7, 2 ** 52]) {
      const place = butForLast(offset)
      expect([place > offset - 1, place < offset, eventAt(place)]).toEqual([true, true, offset])
      const text = encodePosition(positionAt(LOG, TOTAL_ORDER, place))
      expect(text).toBe(`${encodePosition(positionAt(LOG, TOTAL_ORDER, offset))}-`)
      expect(offsetIn(decodePosition(text, LOG, 'since'), TOTAL_ORDER)).toBe(place)
    }
  })

  it('names its log: one of another log is refused, with both logs and the field', () => {
    const error = failure(encodePosition(positionAt('other', TOTAL_ORDER, 5)), 'as_of')
    expect(error.code).toBe('VALIDATION_ERROR')
    expect(error.message).toMatch(/^as_of: /)
    expect(error.details).toEqual([
      { field: 'as_of', message: `the position belongs to log other, this is log ${LOG}` },
    ])
  })

  it.each([
    '',
    '~',
    LOG,
    'garbage',
    `${LOG}~log`,
    `${LOG}~log.`,
    `${LOG}~.5`,
    `${LOG}~log.5~`,
    `${LOG}~~log.5`,
    `${LOG}~log.-1`,
    `${LOG}~log.A`,
    `${LOG}~log.-`,
    `${LOG}~log.5--`,
    `${LOG}~log.2gosa7pa2gv-`,
    `${LOG}~log.5 `,
    `${LOG}~log.zzzzzzzzzzz`,
    `${LOG}~log.1000000000000`,
    `${LOG}~sync records-0.5`,
    `${LOG}~${'s'.repeat(201)}.5`,
    `${LOG}${'~log.1'.repeat(1001)}`,
    '{"log":5}',
    '\u0000',
    '😀~😀.1',
  ])('is none: %j is refused, naming the field', text => {
    const error = failure(text)
    expect(error.code).toBe('VALIDATION_ERROR')
    expect(error.message).toMatch(/^min_position: /)
    expect(error.details).toHaveLength(1)
    expect(error.details[0]!.field).toBe('min_position')
  })

  it('that is garbage fails with a DomainError and nothing else', () =>
    property(3000, random => {
      const characters = [...encodePosition(randomPosition(random))]
      for (let n = 1 + random.int(4); n > 0; n--) {
        characters.splice(random.int(characters.length + 1), random.int(3), random.pick([...'~~..-az09 \u0000😀']))
      }
      const text = characters.join('')
      try {
        const { offsets } = decodePosition(text, LOG, 'from')
        for (const offset of offsets.values())
          expect(Number.isSafeInteger(eventAt(offset)) && Number.isInteger(offset * 2) && offset > -1).toBe(true)
      } catch (error) {
        expect(error).toMatchObject({ name: 'DomainError', code: 'VALIDATION_ERROR', details: [{ field: 'from' }] })
      }
    }))

  it('shows no more of a long text than its beginning', () => {
    expect(failure('x'.repeat(100_000)).message.length).toBeLessThan(200)
  })

  it('of a log in one order tells how far every stream has come', () => {
    const position = positionAt(LOG, TOTAL_ORDER, 7)
    expect(offsetIn(position, 'sync.records-3')).toBe(7)
    expect(offsetIn(position, TOTAL_ORDER)).toBe(7)
    expect(offsetIn(positionAt(LOG, 'sync.records-0', 7), 'sync.records-1')).toBe(-1)
  })

  it('merged with another is the least that includes both', () =>
    property(500, random => {
      const streams = STREAMS.slice(1)
      const [a, b] = [randomPosition(random, streams), randomPosition(random, streams)]
      const merged = mergePositions(a, b)
      for (const stream of streams) {
        expect(offsetIn(merged, stream)).toBe(Math.max(offsetIn(a, stream), offsetIn(b, stream)))
      }
      expect(encodePosition(mergePositions(merged, a))).toBe(encodePosition(merged))
    }))
})
