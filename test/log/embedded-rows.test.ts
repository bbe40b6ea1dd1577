import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { offsetIn } from '../../src/kernel/position.ts'
import { type EmbeddedLog, openEmbeddedLog } from '../../src/log/embedded.ts'
import { events, readAll, SPEC, text } from '../kit/events.ts'

const TOPICS = ['first', 'second']

describe('rows of the embedded log', () => {
  let dir: string
  let log: EmbeddedLog
  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'sync-rows-'))
    log = openEmbeddedLog({ file: join(dir, 'log.db') })
    await log.declare(
      TOPICS.map(name => ({ ...SPEC, name })),
      {},
    )
  })
  afterEach(async () => {
    await log.stop()
    rmSync(dir, { recursive: true })
  })

  function rows() {
    const db = new DatabaseSync(join(dir, 'log.db'), { readOnly: true })
    const found = db.prepare('select first, last, length(bytes) as size from batches order by last').all()
    db.close()
    return found as { first: number; last: number; size: number }[]
  }

  it('hold the small appends of one commit that follow each other in a topic', async () => {
    await Promise.all(Array.from({ length: 50 }, (_, n) => log.append([events('first', ['k', `${n}`])])))
    expect(rows()).toHaveLength(1)
    expect((await readAll(log, log.streams('first')[0]!)).map(text)).toEqual(
      Array.from({ length: 50 }, (_, n) => `${n}`),
    )
  })

  it('put every event where its append was told, whatever topics, sizes and refusals are between', async () => {
    const [consumedFrom] = log.streams('second')
    const consumed = { group: 'g', stream: consumedFrom!, offset: 5 }
    await log.append([events('second', ['k', 'before'])], { consumed })
    const appends = Array.from({ length: 120 }, async (_, n) => {
      const topic = TOPICS[n % 7 < 4 ? 0 : 1]!
      const value = `${n} `.padEnd(n % 11 === 0 ? 70_000 : n % 5 === 0 ? 20_000 : 10, 'x')
      const batch = events(topic, ['k', value], ['k', `${value}, again`])
      if (n % 9 === 0) {
        await expect(log.append([batch], { consumed })).rejects.toMatchObject({ code: 'CONFLICT' })
        return []
      }
      const [stream] = log.streams(topic)
      const last = offsetIn(await log.append([batch]), stream!.name)
      return [
        [`${stream!.name} ${last - 1}`, value],
        [`${stream!.name} ${last}`, `${value}, again`],
      ]
    })
    const told = new Map((await Promise.all(appends)).flat() as [string, string][])
    expect(told.size).toBe(2 * (120 - 14))
    const streams = TOPICS.map(topic => log.streams(topic)[0]!)
    const read = await Promise.all(
      streams.map(async stream =>
        (await readAll(log, stream)).map(event => [`${stream.name} ${event.offset}`, text(event)] as const),
      ),
    )
    const found = new Map(read.flat().filter(([, value]) => value !== 'before'))
    expect(found).toEqual(told)
    const kept = rows()
    expect(kept.length).toBeLessThan(106)
    for (const { size, first, last } of kept) if (last - first > 1) expect(size).toBeLessThanOrEqual(64 * 1024)
  })
})
