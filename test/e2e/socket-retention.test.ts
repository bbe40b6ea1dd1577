import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { pushBatch } from '../kit/api.ts'
import { openLogAt } from '../kit/logs.ts'
import { retain } from '../kit/retention.ts'
import { removeData, type Service, startService, untilProjected } from '../kit/service.ts'
import { type Listener, listen, type Message } from '../kit/sockets.ts'

const filters = { dataset: 'kept' }

let service: Service
let client: Listener
beforeEach(async () => {
  service = await startService()
})
afterEach(async () => {
  client?.close()
  await service.stop()
  removeData(service)
})

async function push(id: string): Promise<string> {
  const listener = await listen(service)
  await listener.subscribe({ filters })
  const { body } = await pushBatch(service, 'kept', [{ id, data: {} }])
  // Its change is in the log once it is told.
  await listener.untilChange(id)
  listener.close()
  return body.position
}

/** The log as it is after all that a topic holds has become too old to keep. */
async function forget(topic: string): Promise<void> {
  await service.stop()
  const log = await openLogAt(`embedded:${join(service.dataDir, 'log.db')}`)
  await retain(log, topic)
  await log.stop()
  service = await startService({}, { dataDir: service.dataDir })
}

/** The first answer to a subscribe. */
async function asked(since: string): Promise<Message> {
  client?.close()
  client = await listen(service)
  client.send('subscribe', { filters, since, subscription_id: 'mine' })
  return Promise.race([client.next('subscribed'), client.next('resync_required')])
}

const told = () => client.changes().map(({ payload }) => payload.record_id)

it('a position whose changes are no longer kept is told where the log begins now', async () => {
  const [a, b] = [await push('a'), await push('b')]
  await forget('sync.changes')
  const lost = await asked(a)
  expect(lost.type).toBe('resync_required')
  expect(lost.subscription_id).toBe('mine')
  expect(lost.payload).toEqual({
    code: 'not_kept',
    reason: expect.stringMatching(/no longer kept/),
    from: lost.payload.position,
    position: lost.position,
  })
  // Nothing comes after the last one, so nothing is missing.
  expect((await asked(b)).payload).toMatchObject({ recovered: true })
  await push('c')
  const d = await push('d')
  for (const since of [b, lost.payload.from as string]) {
    expect((await asked(since)).payload).toMatchObject({ recovered: true })
    await client.untilChange('d')
    expect(told()).toEqual(['c', 'd'])
  }
  const again = await asked(a)
  expect(again.type).toBe('resync_required')
  expect((await asked(again.payload.from as string)).payload).toMatchObject({ recovered: true })
  await client.untilChange('d')
  expect(told()).toEqual(['c', 'd'])
  expect((await asked(d)).payload).toMatchObject({ recovered: true })
})

it('so is one of which the records themselves are gone', async () => {
  const a = await push('a')
  await push('b')
  await forget('sync.changes')
  await forget('sync.records')
  await push('c')
  const lost = await asked(a)
  expect(lost.type).toBe('resync_required')
  expect((await asked(lost.payload.from as string)).payload).toMatchObject({ recovered: true })
  await client.untilChange('c')
  expect(told()).toEqual(['c'])
})

it('changes that are kept are told, also when their records are gone', async () => {
  await push('a')
  await forget('sync.changes')
  const b = await push('b')
  await push('c')
  await forget('sync.records')
  await push('d')
  expect((await asked(b)).payload).toMatchObject({ recovered: true })
  await client.untilChange('d')
  expect(told()).toEqual(['c', 'd'])
})

it('what is said before anybody subscribes has a position to continue from, not that of the beginning', async () => {
  const fresh = await startService()
  try {
    const { body } = await pushBatch(fresh, 'quiet', [{ id: 'before', data: {} }])
    await untilProjected(fresh, body.position)
    const client = await listen(fresh)
    client.send('ping')
    const { position } = await client.next('pong')
    await pushBatch(fresh, 'quiet', [{ id: 'after', data: {} }])
    await client.subscribe({ since: position })
    await client.untilChange('after')
    expect(client.changes().map(({ payload }) => payload.record_id)).toEqual(['after'])
    client.close()
  } finally {
    await fresh.stop()
    removeData(fresh)
  }
})
