import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openEmbeddedLog } from '../../src/log/embedded.ts'
import { events, SPEC } from '../kit/events.ts'

it('reads up to an end that it was asked for, also when nobody has told it of that commit yet', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'sync-told-'))
  const [writer, reader] = [1, 2].map(() => openEmbeddedLog({ file: join(dir, 'log.db') })) as [
    ReturnType<typeof openEmbeddedLog>,
    ReturnType<typeof openEmbeddedLog>,
  ]
  try {
    const topic = 'told'
    for (const log of [writer, reader]) await log.declare([{ ...SPEC, name: topic }], {})
    await writer.append([events(topic, ['a', '1'])])
    reader.grewTo({ head: 0, topics: new Map([[topic, 0]]) })
    await writer.append([events(topic, ['b', '2'])])
    const [stream] = reader.streams(topic)
    expect((await reader.ends(topic)).get(stream!.name)).toBe(1)
    const { events: read } = await reader.read(stream!, 0, { maxEvents: 10, maxBytes: 1000, waitMs: 0 })
    expect(read.map(({ key }) => key.toString())).toEqual(['b'])
  } finally {
    await Promise.all([writer.stop(), reader.stop()])
    rmSync(dir, { recursive: true })
  }
})
