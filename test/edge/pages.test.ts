import { afterEach, beforeEach, expect, it } from 'vitest'
import { readTopics } from '../../src/adapters.ts'
import { seekSource } from '../../src/edge/socket/changes.ts'
import { createPages, type Pages } from '../../src/edge/socket/pages.ts'
import { schemas } from '../../src/events/index.ts'
import { type Codec, createCodec } from '../../src/log/codec.ts'
import type { Log, Stream } from '../../src/log/log.ts'
import { openMemoryLog } from '../../src/log/memory.ts'
import { changeMaker } from '../kit/edge-sockets.ts'
import { property } from '../kit/random.ts'

let log: Log
let codec: Codec
let pages: Pages
/** Pages that were read from the log; one event alone is a look at where to start. */
let reads: number
let looks: number
beforeEach(begin)
afterEach(() => log.stop())

async function begin(): Promise<void> {
  const memory = openMemoryLog()
  await memory.declare(readTopics(), schemas)
  log = {
    ...memory,
    read(stream, after, limits) {
      if (limits.maxEvents === 1) looks++
      else reads++
      return memory.read(stream, after, limits)
    },
  }
  codec = createCodec(log)
  pages = createPages({ log, codec })
  reads = 0
  looks = 0
}

/** Changes of one record, each with so long a text; gives back their stream. */
async function write(count: number, length = 100): Promise<Stream> {
  const make = changeMaker(log, codec)
  const changes = JSON.stringify({ text: { old: null, new: 'x'.repeat(length) } })
  for (let n = 0; n < count; n++) await log.append([make({ dataset: 'd', id: 'one', change: { changes } })])
  const ends = await log.ends('sync.changes')
  return log.streams('sync.changes').find(({ name }) => ends.get(name) === count - 1)!
}

/** The offsets that a reader gets who goes from page to page. */
async function readOn(stream: Stream, from: number, end: number): Promise<number[]> {
  const offsets: number[] = []
  for (let after = from; after < end; ) {
    const page = await pages.next(stream, after)
    offsets.push(...page.told.flatMap(({ offset }) => (offset > after ? offset : [])))
    after = page.through
  }
  return offsets
}

const after = (from: number, count: number) => Array.from({ length: count - from - 1 }, (_, n) => from + 1 + n)

it('are read once for all who are nearby, wherever each of them starts', async () => {
  const count = 10_000
  const stream = await write(count)
  for (const from of [500, 501, 1499, 0, 3000, 500, 9998]) {
    expect(await readOn(stream, from, count - 1)).toEqual(after(from, count))
  }
  // Ten pages, and one for whoever began before the others.
  expect(reads).toBeLessThanOrEqual(12)
})

it('are let go when they are too many, and read again', async () => {
  const count = 40
  const stream = await write(count, 1_000_000)
  for (let round = 1; round <= 2; round++) {
    expect(await readOn(stream, -1, count - 1)).toEqual(after(-1, count))
    expect(reads).toBe(round * (count / 2))
  }
  // Those read last are still there.
  expect(await readOn(stream, count - 3, count - 1)).toEqual([count - 2, count - 1])
  expect(reads).toBe(count)
})

it('tell where to start as a look into the log does, and save it', () =>
  property(30, async random => {
    await begin()
    const count = 1 + random.int(3000)
    const stream = await write(count)
    for (let n = 0; n < 20; n++) {
      const source = Math.max(-1, random.int(count + 2) - 1 - (random.chance(0.3) ? 0.5 : 0))
      const found = await pages.seek(stream, source, count - 1)
      expect(found).toBe((await seekSource(log, codec, stream, source, count - 1)).offset)
      const looked = looks
      expect(await pages.seek(stream, source, count - 1)).toBe(found)
      // A page of a few is not kept.
      if (count - found > 100) expect(looks).toBe(looked)
    }
  }))
