import { describe, expect, it } from 'vitest'
import { readPosition } from '../../src/edge/positions.ts'
import { butForLast, encodePosition, type Position, positionAt } from '../../src/kernel/position.ts'
import { type CopyRecord, originText } from '../../src/log/kafka-copies.ts'
import { createAdoption } from '../../src/log/kafka-origins.ts'
import type { Stream } from '../../src/log/log.ts'
import { property, type Random } from '../kit/random.ts'

const FROM = 'deadbeef'
const HERE = '64584e305a51'
const STREAMS = [0, 1, 2].map(partition => ({ name: `t-${partition}`, topic: 't', partition }))

/** A Kafka with copied records in batches, some of which retention has taken, and others written here after them. */
function randomKafka(random: Random) {
  const origins = STREAMS.map(() => [] as number[])
  const head = random.int(200)
  for (let offset = 0; offset <= head; offset++) if (random.chance(0.7)) random.pick(origins).push(offset)
  const starts = origins.map(all => (random.chance(0.3) ? random.int(all.length + 1) : 0))
  const size = 1 + random.int(20)
  let fetches = 0
  const reader = {
    async fetch({ partition }: { partition: number }, offset: number): Promise<CopyRecord[]> {
      fetches++
      const all = origins[partition]!
      const first = Math.max(starts[partition]!, offset - (offset % size))
      const own = { time: 0, key: Buffer.alloc(0), value: Buffer.alloc(0) }
      return Array.from({ length: size }, (_, n) => first + n)
        .filter(each => each < all.length + 5)
        .map(each => ({ ...own, offset: each, origin: each < all.length ? originText(FROM, all[each]!) : undefined }))
    },
    async bounds() {
      return new Map(STREAMS.map(({ name }, n) => [name, { start: starts[n]!, end: origins[n]!.length + 5 }]))
    },
  }
  const position = encodePosition({
    log: HERE,
    offsets: new Map(STREAMS.map(({ name }, n) => [name, origins[n]!.length - 1])),
  })
  const mark = { log: FROM, finished: true, through: head, position, at: 0 }
  const adopt = createAdoption({ id: HERE, mark, streams: () => STREAMS, reader })
  return { adopt, head, origins, starts, fetches: () => fetches }
}

const total = (offset: number): Position => ({ log: FROM, offsets: new Map(offset < 0 ? [] : [['log', offset]]) })

describe('a position of the log that was copied', () => {
  it('includes just the copies of what it included there', () =>
    property(300, async random => {
      const { adopt, head, origins, starts, fetches } = randomKafka(random)
      const offset = random.int(head + 2) - 1
      const adopted = (await adopt(total(offset), ['t']))!
      expect(adopted.log).toBe(HERE)
      for (const [n, all] of origins.entries()) {
        const last = all.findLastIndex(each => each <= offset)
        expect(adopted.offsets.get(`t-${n}`)).toBe(Math.max(last, starts[n]! - 1))
      }
      const asked = fetches()
      expect(asked).toBeLessThanOrEqual(3 * 9)
      expect(await adopt(total(offset), ['t'])).toEqual(adopted)
      expect(fetches()).toBe(asked)
    }))

  it('but for the last message of an event is so in the stream of its copy, and whole in the others', () =>
    property(300, async random => {
      const { adopt, head, origins, starts } = randomKafka(random)
      const offset = random.int(head + 1)
      const adopted = (await adopt({ log: FROM, offsets: new Map([['log', butForLast(offset)]]) }, ['t']))!
      for (const [n, all] of origins.entries()) {
        const last = all.findLastIndex(each => each <= offset)
        const isHere = all[last] === offset && last >= starts[n]!
        expect(adopted.offsets.get(`t-${n}`)).toBe(isHere ? butForLast(last) : Math.max(last, starts[n]! - 1))
      }
    }))

  it('is none of ours when it lies beyond what was copied, names a stream, or is of a third log', () =>
    property(50, async random => {
      const { adopt, head } = randomKafka(random)
      expect(await adopt(total(head + 1), ['t'])).toBeUndefined()
      expect(await adopt({ log: 'other', offsets: new Map() }, ['t'])).toBeUndefined()
      expect(await adopt({ log: FROM, offsets: new Map([['nonsense', 0]]) }, ['t'])).toBeUndefined()
    }))

  it('is read from a caller in places of this log, and refused with the field when this log knows nothing of it', async () => {
    const adopt = async (position: Position) =>
      position.log === FROM ? { log: HERE, offsets: new Map([['sync.records-1', 4]]) } : undefined
    const streams = (topic: string) => [0, 1].map(partition => ({ name: `${topic}-${partition}`, topic, partition }))
    const log = {
      id: HERE,
      adopt,
      streams,
      place: (stream: Stream, offset: number) => positionAt(HERE, stream.name, offset),
    }
    expect(encodePosition(await readPosition(log, `${FROM}~log.9`, 'since'))).toBe(`${HERE}~sync.records-1.4`)
    expect(encodePosition(await readPosition(log, `${HERE}~sync.records-1.7`, 'since'))).toBe(
      `${HERE}~sync.records-1.7`,
    )
    await expect(readPosition(log, 'other~log.9', 'since')).rejects.toMatchObject({
      code: 'VALIDATION_ERROR',
      details: [{ field: 'since', message: `the position belongs to log other, this is log ${HERE}` }],
    })
    // Here each partition has its own order.
    for (const stream of ['sync.records-2', 'log'])
      await expect(readPosition(log, `${HERE}~sync.records-1.7~${stream}.7`, 'since')).rejects.toMatchObject({
        code: 'VALIDATION_ERROR',
        details: [{ field: 'since', message: expect.stringContaining(`no stream "${stream}"`) }],
      })
    await expect(readPosition(log, 'garbage', 'since')).rejects.toMatchObject({ code: 'VALIDATION_ERROR' })
  })
})
