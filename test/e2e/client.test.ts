import { afterAll, beforeAll, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { connect, type Message, type RecordChange, type Status, type Subscription } from '../../client/src/index.ts'
import { pushBatch, pushLines, tokenFor } from '../kit/api.ts'
import { freePort, until } from '../kit/processes.ts'
import { removeData, type Service, startService } from '../kit/service.ts'

let service: Service
const env: Record<string, string> = {}
beforeAll(async () => {
  Object.assign(env, { PORT: String(await freePort()), TOKEN_SECONDS: '3', MAX_SOCKET_BUFFER_BYTES: '65536' })
  service = await startService(env)
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

/** As pushes need it, with a token that is still good. */
const push = async (dataset: string, id: string, data: object = {}) => {
  const { access_token: token } = await tokenFor(service)
  return (await pushBatch({ ...service, token }, dataset, [{ id, data }])).body.position
}
const freshToken = async () => (await tokenFor(service, 'sync:read')).access_token

/** Reads a subscription into a list. */
function keep(subscription: Subscription): { got: Message[]; ids: () => string[]; over: Promise<unknown> } {
  const got: Message[] = []
  const loop = async () => {
    for await (const message of subscription) got.push(message)
  }
  const ids = () =>
    got.filter((each): each is RecordChange => each.type === 'record_change').map(each => each.payload.record_id)
  return { got, ids, over: loop().catch(error => error) }
}

it.each([
  ['the global WebSocket', undefined],
  ['ws', WebSocket],
])('follows changes over %s, with filters', async (_, webSocket) => {
  const client = connect({ url: service.url, token: freshToken, ...(webSocket ? { webSocket } : {}) })
  const statuses: Status[] = []
  const dataset = `plain-${webSocket ? 'ws' : 'global'}`
  const { got, ids } = keep(client.subscribe({ filters: { dataset }, onStatus: status => void statuses.push(status) }))
  await until('it to be live', () => statuses.at(-1)?.state === 'live')
  await push(dataset, 'a', { n: 1 })
  await push('other', 'x', { n: 1 })
  await push(dataset, 'b', { n: 2 })
  await until('two changes', () => got.length >= 2)
  expect(ids()).toEqual(['a', 'b'])
  expect(got[0]).toMatchObject({
    type: 'record_change',
    payload: { operation: 'create', table: dataset, record_id: 'a', changes: { n: { old: null, new: 1 } } },
  })
  client.close()
})

it('goes on over kill -9, a new token, and a restart of the program, and tells each change once', async () => {
  const since = await push('lives', 'before', {})
  const first = connect({ url: service.url, token: freshToken, retry: { first: 20, most: 200 } })
  const kept = keep(first.subscribe({ filters: { dataset: 'lives' }, since }))
  const wanted: string[] = []
  const pushNext = async (n: number) => {
    wanted.push(`r${n}`)
    await push('lives', `r${n}`, { n })
  }
  for (let n = 0; n < 3; n++) await pushNext(n)
  await until('three changes', () => kept.got.length >= 3)
  for (let life = 1; life <= 2; life++) {
    await service.stop('SIGKILL')
    service = await startService(env, { dataDir: service.dataDir })
    for (let n = 0; n < 3; n++) await pushNext(3 * life + n)
  }
  await until('all of them', () => kept.got.length >= wanted.length)
  // Longer than a token is good.
  const end = Date.now() + 4000
  for (let n = 9; Date.now() < end; n++) await pushNext(n)
  await until('all of them', () => kept.got.length >= wanted.length)
  expect(kept.ids()).toEqual(wanted)
  first.close()
  await kept.over
  for (let n = 1000; n < 1003; n++) await pushNext(n)
  const again = connect({ url: service.url, token: freshToken })
  const rest = keep(again.subscribe({ filters: { dataset: 'lives' }, since: kept.got.at(-1)!.position }))
  await until('the rest', () => rest.got.length >= 3)
  expect(rest.ids()).toEqual(wanted.slice(-3))
  again.close()
})

it('says that there is a gap when its position is of another log', async () => {
  const client = connect({ url: service.url, token: freshToken })
  const { got } = keep(client.subscribe({ filters: { dataset: 'gap' }, since: 'another~log.1' }))
  await until('the gap', () => got.length === 1)
  expect(got[0]).toMatchObject({ type: 'gap', code: 'other_log', reason: expect.stringContaining('another log') })
  await push('gap', 'after', {})
  await until('what comes after it', () => got.length === 2)
  client.close()
})

it('gives up when its filter or position is refused', async () => {
  const client = connect({ url: service.url, token: freshToken })
  const wrong = client.subscribe({ filters: { colour: 'red' } as object })
  await expect(wrong.next()).rejects.toMatchObject({ code: 'VALIDATION_ERROR', message: /colour/ })
  await expect(client.subscribe({ since: 'nonsense' }).next()).rejects.toMatchObject({ code: 'VALIDATION_ERROR' })
  client.close()
})

it('a loop that is slow is told of every change once, with a bounded queue', async () => {
  const since = await push('slow', 'before', {})
  const client = connect({ url: service.url, token: freshToken, retry: { first: 20, most: 200 } })
  const states: string[] = []
  const subscription = client.subscribe({
    filters: { dataset: 'slow' },
    since,
    maxQueued: 500,
    onStatus: ({ state }) => void states.push(state),
  })
  const ids = Array.from({ length: 5000 }, (_, n) => `r${n}`)
  const text = 'x'.repeat(500)
  await pushLines(
    { ...service, token: (await tokenFor(service)).access_token },
    'dataset=slow',
    ids.map(id => `${JSON.stringify({ id, data: { text } })}\n`).join(''),
  )
  const got: string[] = []
  for await (const message of subscription) {
    if (message.type === 'record_change') got.push(message.payload.record_id)
    if (got.length % 100 === 0) await new Promise(resolve => setTimeout(resolve, 5))
    if (got.length === ids.length) break
  }
  expect(got).toEqual(ids)
  expect(states).toContain('paused')
})
