import { afterAll, beforeAll, expect, it } from 'vitest'
import { call, pushBatch, pushLines } from '../kit/api.ts'
import { until } from '../kit/processes.ts'
import { removeData, type Service, startService } from '../kit/service.ts'
import { listen } from '../kit/sockets.ts'

let service: Service
beforeAll(async () => {
  service = await startService()
})
afterAll(async () => {
  await service?.stop('SIGKILL')
  removeData(service)
})

const lines = (from: number, count: number) =>
  Array.from({ length: count }, (_, n) => JSON.stringify({ id: `r${from + n}`, data: { n: from + n } })).join('\n')

it('two subscriptions with one filter, the second from further back than the first, hold nobody up', async () => {
  const filters = { dataset: 'two' }
  const { position: before } = (await pushLines(service, 'dataset=two', lines(0, 1))).body
  for (let round = 0; round < 3; round++) {
    const from = 1 + round * 20_000
    // The read model has yet to come as far as this receipt.
    const { position: ahead } = (await pushLines(service, 'dataset=two', lines(from, 20_000))).body
    const client = await listen(service)
    client.send('subscribe', { filters, since: ahead, subscription_id: 'ahead' })
    client.send('subscribe', { filters, since: before, subscription_id: 'before' })
    const live = await call(service, '/health/live')
    expect(live.status).toBe(200)
    const ids = () => client.changes().map(({ payload }) => payload.record_id as string)
    await until('all of them', () => ids().length >= from + 19_999, 60_000)
    expect(new Set(ids()).size).toBe(from + 19_999)
    client.close()
  }
})

it('a position beyond the end of the log is answered at once, whoever writes meanwhile', async () => {
  const { position } = (await pushBatch(service, 'beyond', [{ id: 'first', data: {} }])).body
  const [log, offset] = position.split('~log.') as [string, string]
  const writer = { on: true }
  const writing = (async () => {
    for (let n = 0; writer.on; n++) await pushBatch(service, 'beyond', [{ id: `w${n}`, data: {} }])
  })()
  for (const ahead of [5000, 36 ** 5]) {
    const client = await listen(service)
    const since = `${log}~log.${(Number.parseInt(offset, 36) + ahead).toString(36)}`
    client.send('subscribe', { filters: { dataset: 'beyond' }, since, subscription_id: 'mine' })
    const { payload, subscription_id } = await client.next('resync_required')
    expect(payload).toMatchObject({ code: 'beyond_end', reason: expect.stringContaining('beyond the end') })
    expect(subscription_id).toBe('mine')
    expect(client.messages.map(({ type }) => type)).toEqual(['resync_required'])
    // From there on it misses nothing.
    await client.subscribe({ filters: { dataset: 'beyond' }, since: payload.from })
    await until('a change', () => client.changes().length > 0)
    client.close()
  }
  writer.on = false
  await writing
})

it('two tokens are one too many', async () => {
  const headers = { authorization: `Bearer ${service.token}` }
  await expect(listen(service, { headers })).rejects.toMatchObject({ status: 400 })
  expect((await call(service, `/stream?token=${service.token}`)).status).toBe(400)
})
