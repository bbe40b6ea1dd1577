import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { encodePosition, offsetIn } from '../../src/kernel/position.ts'
import type { Log, Stream } from '../../src/log/log.ts'
import { events, readAll, readTopic, SPEC, text } from '../kit/events.ts'
import { until } from '../kit/processes.ts'

/** Where a log is. */
export interface LogPlace {
  /** Opens the same log again when called again in one test. */
  open(): Promise<Log>
  end(): Promise<void>
  /** Has retention take all that a topic holds; none for a log that keeps everything. */
  forget?(log: Log, topic: string): Promise<void>
}

/** The laws of `src/log/log.ts`, for any adapter. */
export function logContract(name: string, open: () => Promise<LogPlace>): void {
  describe(`log: ${name}`, () => {
    let place: LogPlace
    let log: Log
    let topic: string
    let commands: string

    beforeEach(async () => {
      place = await open()
      log = await place.open()
      const run = randomBytes(4).toString('hex')
      topic = `t-${run}`
      commands = `c-${run}`
      await log.declare(
        [
          { ...SPEC, name: topic },
          { ...SPEC, name: commands, partitions: 1 },
        ],
        {},
      )
    })
    afterEach(async () => {
      await log.stop()
      await place.end()
    })

    it('gives back what was appended, with key and value to the byte', async () => {
      await log.append([events(topic, ['k', 'äöü 你好 \u0000 end'])])
      const [event] = await readTopic(log, topic)
      expect(text(event!)).toBe('äöü 你好 \u0000 end')
      expect(event!.key.toString()).toBe('k')
    })

    it('keeps the order of a key over many concurrent appends', async () => {
      const keys = ['a', 'b', 'c', 'd']
      const appends = []
      for (let n = 0; n < 200; n++)
        appends.push(log.append([events(topic, ...keys.map(k => [k, `${n}`] as [string, string]))]))
      await Promise.all(appends)
      const all = await readTopic(log, topic)
      for (const key of keys) {
        const values = all.filter(event => event.key.toString() === key).map(text)
        expect(values).toEqual(Array.from({ length: 200 }, (_, n) => `${n}`))
      }
    })

    it('gives each stream offsets that only grow, and a position that includes the events', async () => {
      const first = await log.append([events(topic, ['a', '1'], ['b', '2'], ['c', '3'])])
      const second = await log.append([events(topic, ['a', '4'])])
      for (const stream of log.streams(topic)) {
        const all = await readAll(log, stream)
        const offsets = all.map(event => event.offset)
        expect(offsets).toEqual([...offsets].sort((x, y) => x - y))
        expect(new Set(offsets).size).toBe(offsets.length)
        for (const event of all) {
          const position = text(event) === '4' ? second : first
          expect(offsetIn(position, stream.name)).toBeGreaterThanOrEqual(event.offset)
        }
      }
      expect(encodePosition(first)).not.toBe(encodePosition(second))
    })

    it('puts a batch with a partition into that one', async () => {
      const partition = log.streams(topic).length - 1
      await log.append([{ ...events(topic, ['a', '1'], ['b', '2']), partition }])
      expect((await readAll(log, log.streams(topic)[partition]!)).map(text)).toEqual(['1', '2'])
    })

    it('reads no more than asked, from where asked', async () => {
      const pairs = Array.from({ length: 50 }, (_, n) => ['same', `${n}`.padStart(100, '0')] as [string, string])
      await log.append([events(topic, ...pairs)])
      const stream =
        log.streams(topic).find(s => s.partition === 0 && log.streams(topic).length === 1) ?? (await holder())
      const few = await log.read(stream, -1, { maxEvents: 7, maxBytes: 1_000_000, waitMs: 0 })
      expect(few.events).toHaveLength(7)
      const next = await log.read(stream, few.through, { maxEvents: 1000, maxBytes: 1_000_000, waitMs: 0 })
      expect([...few.events, ...next.events].map(text)).toEqual(pairs.map(([, value]) => value))

      async function holder(): Promise<Stream> {
        for (const stream of log.streams(topic)) if ((await readAll(log, stream)).length > 0) return stream
        throw new Error('nothing was written')
      }
    })

    it('takes a batch many times larger than a message may be, and others beside it', async () => {
      const large = Array.from({ length: 60 }, (_, n) => ['large', `${n} ${'x'.repeat(100_000)}`] as [string, string])
      const small = Array.from({ length: 20 }, (_, n) => log.append([events(topic, ['small', `${n}`])]))
      const [position] = await Promise.all([log.append([events(topic, ...large)]), ...small])
      const all = await readTopic(log, topic)
      const ofKey = (key: string) => all.filter(event => event.key.toString() === key)
      expect(ofKey('large').map(text)).toEqual(large.map(([, value]) => value))
      expect(ofKey('small').map(text)).toEqual(small.map((_, n) => `${n}`))
      const last = ofKey('large').at(-1)!.offset
      expect(log.streams(topic).some(({ name }) => offsetIn(position!, name) >= last)).toBe(true)
    })

    it('finds the last event of each stream at or before a time', async () => {
      const streams = log.streams(topic)
      expect([...(await log.reachedBy(topic, Date.now())).values()]).toEqual(streams.map(() => -1))
      for (let n = 0; n < 6; n++) {
        await log.append([events(topic, ['a', `${n}`], ['b', `${n}`], ['c', `${n}`])])
        const now = Date.now()
        await until('the clock to go on', () => Date.now() > now + 1)
      }
      const all = await Promise.all(streams.map(async stream => ({ stream, read: await readAll(log, stream) })))
      const times = [...new Set(all.flatMap(({ read }) => read.map(({ time }) => time)))]
      expect(times.length).toBeGreaterThan(1)
      for (const time of [0, ...times.flatMap(each => [each - 1, each]), Date.now()]) {
        const reached = await log.reachedBy(topic, time)
        const rest = all.flatMap(({ stream, read }) => read.filter(({ offset }) => offset > reached.get(stream.name)!))
        const expected = all.flatMap(({ read }) => read.filter(event => event.time > time))
        expect(rest.map(text)).toEqual(expected.map(text))
      }
    })

    it('wakes a reader that waits', async () => {
      const stream = log.streams(topic)[0]!
      const waiting = log.read(stream, -1, { maxEvents: 10, maxBytes: 1000, waitMs: 20_000 })
      await log.append([{ ...events(topic, ['a', 'now']), partition: 0 }])
      expect((await waiting).events.map(text)).toEqual(['now'])
    })

    it('makes events and the checkpoint of what was handled visible together, once', async () => {
      await log.append([events(commands, ['x', 'do 1'], ['x', 'do 2'])])
      const stream = log.streams(commands)[0]!
      const [one, two] = await readAll(log, stream)
      expect(await log.own('decider', stream)).toBe(-1)
      await log.append([events(topic, ['x', 'did 1'])], { consumed: { group: 'decider', stream, offset: one!.offset } })
      const again = log.append([events(topic, ['x', 'did 1 again'])], {
        consumed: { group: 'decider', stream, offset: one!.offset },
      })
      await expect(again).rejects.toMatchObject({ code: 'CONFLICT' })
      await log.append([events(topic, ['x', 'did 2'])], { consumed: { group: 'decider', stream, offset: two!.offset } })
      // Kafka writes the marks that make a transaction visible just after it has promised the commit.
      await until('both to be visible', async () => (await readTopic(log, topic)).length === 2)
      expect((await readTopic(log, topic)).map(text)).toEqual(['did 1', 'did 2'])
    })

    it('tells how far a stream is written as soon as an append is acknowledged, visible or not', async () => {
      const [output, stream] = [log.streams(topic)[1] ?? log.streams(topic)[0]!, log.streams(commands)[0]!]
      expect(await log.written(output)).toBe(-1)
      await log.append([events(commands, ['x', 'do 1'])])
      const [one] = await readAll(log, stream)
      expect(await log.written(stream)).toBeGreaterThanOrEqual(one!.offset)
      await log.own('decider', stream)
      const batch = { ...events(topic, ['x', 'did 1']), partition: output.partition }
      await log.append([batch], { consumed: { group: 'decider', stream, offset: one!.offset } })
      const written = await log.written(output)
      const [did] = await until('it to be visible', async () => {
        const all = await readAll(log, output)
        return all.length > 0 && all
      })
      expect(written).toBeGreaterThanOrEqual(did!.offset)
    })

    it('tells how much of a stream retention has taken', async () => {
      const stream = log.streams(topic)[0]!
      const append = (value: string) => log.append([{ ...events(topic, ['k', value]), partition: 0 }])
      const none = new Map(log.streams(topic).map(each => [each.name, -1]))
      await append('old')
      await append('old')
      expect(await log.forgotten(topic)).toEqual(none)
      if (!place.forget) return
      const last = (await readAll(log, stream)).at(-1)!.offset
      await place.forget(log, topic)
      await append('new')
      expect((await readAll(log, stream)).map(text)).toEqual(['new'])
      expect(await log.forgotten(topic)).toEqual(none.set(stream.name, last))
      expect([...(await log.forgotten(commands)).values()]).toEqual([-1])
    })

    it('is the same log, with the same checkpoints, when it is opened again', async () => {
      await log.append([events(commands, ['x', 'do 1'])])
      const stream = log.streams(commands)[0]!
      const [one] = await readAll(log, stream)
      await log.own('decider', stream)
      await log.append([events(topic, ['x', 'did 1'])], { consumed: { group: 'decider', stream, offset: one!.offset } })
      const { id } = log
      await log.stop()
      log = await place.open()
      await log.declare(
        [
          { ...SPEC, name: topic },
          { ...SPEC, name: commands, partitions: 1 },
        ],
        {},
      )
      expect(log.id).toBe(id)
      expect(await log.own('decider', log.streams(commands)[0]!)).toBe(one!.offset)
      expect((await readTopic(log, topic)).map(text)).toEqual(['did 1'])
      await log.append([events(topic, ['x', 'later'])])
      expect((await readTopic(log, topic)).map(text)).toEqual(['did 1', 'later'])
    })

    it('declares a topic twice without harm', async () => {
      await log.append([events(topic, ['a', '1'])])
      await log.declare([{ ...SPEC, name: topic }], {})
      expect((await readTopic(log, topic)).map(text)).toEqual(['1'])
    })
  })
}
