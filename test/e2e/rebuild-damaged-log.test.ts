import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, it } from 'vitest'
import { call, type Item, pushLines } from '../kit/api.ts'
import { askForRebuild, untilRebuilt } from '../kit/rebuilds.ts'
import { removeData, startService, untilProjected } from '../kit/service.ts'

it('a rebuild from a log that is damaged fails, says where, and leaves the rows as they are', async () => {
  const first = await startService()
  const lines = Array.from({ length: 50 }, (_, n) => JSON.stringify({ id: `k${n}`, data: { n, name: 'iiii' } })).join(
    '\n',
  )
  await untilProjected(first, (await pushLines(first, 'dataset=d', lines)).body.position)
  await first.stop()
  const db = new DatabaseSync(join(first.dataDir, 'log.db'))
  const batch = db
    .prepare("select last, bytes from batches where topic = (select number from topics where name = 'sync.records')")
    .get()!
  const bytes = Buffer.from(batch.bytes as Uint8Array<ArrayBuffer>)
  // Still an event that can be read, of other data.
  bytes[bytes.indexOf('iiii')]! ^= 1
  db.prepare('update batches set bytes = ? where last = ?').run(bytes, batch.last as number)
  db.close()
  const service = await startService({}, { dataDir: first.dataDir })
  try {
    const id = await askForRebuild(service, 'records')
    const ended = await untilRebuilt(service, 'records')
    expect(ended).toMatchObject({ id, state: 'failed' })
    expect(ended.error).toMatch(/the log is damaged: sync\.records, offsets \d+ to \d+/)
    expect((await call<Item>(service, '/datasets/d/records/k0')).body.data).toEqual({ n: 0, name: 'iiii' })
    const events = await call<{ error: { code: string } }>(service, '/events?topic=sync.records')
    expect([events.status, events.body.error.code]).toEqual([500, 'INTERNAL_ERROR'])
  } finally {
    await service.stop()
    removeData(service)
  }
})
