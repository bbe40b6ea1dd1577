import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { pushBatch } from '../kit/api.ts'
import { head, openRaw, type RawClient } from '../kit/raw.ts'
import { removeData, type Service, startService } from '../kit/service.ts'
import { type Listener, listen } from '../kit/sockets.ts'

let service: Service
beforeAll(async () => {
  service = await startService()
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

const open: Listener[] = []
afterEach(() => {
  for (const listener of open.splice(0)) listener.close()
})

async function connected(): Promise<Listener> {
  const listener = await listen(service)
  open.push(listener)
  return listener
}

/** Sends something and waits for the error that it is answered with. */
async function refused(listener: Listener, data: string | Buffer): Promise<Record<string, unknown>> {
  const from = listener.messages.length
  listener.ws.send(data)
  return (await listener.next('error', from)).payload
}

const UNREADABLE: (string | Buffer)[] = [
  'not JSON',
  '',
  '{"type":"ping"',
  '[]',
  'null',
  '7',
  '"ping"',
  '{}',
  '{"type":7}',
  Buffer.from('{"type":"ping"}'),
]

describe('what is not a message', () => {
  it('is an error, and the socket stays open', async () => {
    const listener = await connected()
    for (const data of UNREADABLE.slice(0, 9)) {
      expect(await refused(listener, data), String(data)).toMatchObject({ code: 'VALIDATION_ERROR', details: [] })
    }
    listener.send('ping')
    await listener.next('pong')
    expect((await refused(listener, UNREADABLE[9]!)).message).toMatch(/binary/)
    await listener.subscribe({ filters: { dataset: 'sober' } })
    await pushBatch(service, 'sober', [{ id: 'a', data: {} }])
    await listener.untilChange('a')
  })

  it('closes with 4400 when ten in a row are none', async () => {
    const listener = await connected()
    for (const data of UNREADABLE) listener.ws.send(data)
    expect(await listener.closed).toEqual({ code: 4400, reason: expect.stringContaining('10 messages in a row') })
    expect(listener.messages.map(({ type }) => type)).toEqual(Array(10).fill('error'))
  })

  it('is not told back: it may hold a token', async () => {
    const listener = await connected()
    const { message } = await refused(listener, '{"type":"auth","payload":{"token":"a-secret')
    expect(message).toBe('the message is not JSON')
  })
})

it('a message that is wrong is an error however often, and names what is wrong', async () => {
  const listener = await connected()
  const cases: [message: object, field: string][] = [
    [{ type: 'nonsense' }, 'type'],
    [{ type: 'x'.repeat(1000) }, 'type'],
    [{ type: 'subscribe', payload: [] }, 'payload'],
    [{ type: 'subscribe', payload: { channel: 'other' } }, 'payload.channel'],
    [{ type: 'subscribe', payload: { channel: 7 } }, 'payload.channel'],
    [{ type: 'subscribe', payload: { filters: { colour: 'red' } } }, 'payload.filters.colour'],
    [{ type: 'subscribe', payload: { filters: { dataset: 7 } } }, 'payload.filters.dataset'],
    [{ type: 'subscribe', payload: { filters: { event_types: ['record_eaten'] } } }, 'payload.filters.event_types.0'],
    [{ type: 'subscribe', payload: { filters: { record_ids: Array(1001).fill('a') } } }, 'payload.filters.record_ids'],
    [{ type: 'subscribe', payload: { filters: { fields: [] } } }, 'payload.filters.fields'],
    [{ type: 'subscribe', payload: { since: 'made up' } }, 'payload.since'],
    [{ type: 'subscribe', payload: { since: 7 } }, 'payload.since'],
    [{ type: 'subscribe', payload: { subscription_id: '' } }, 'payload.subscription_id'],
    [{ type: 'unsubscribe', payload: { channel: 'other' } }, 'payload.channel'],
    [{ type: 'refresh', payload: {} }, 'payload.token'],
  ]
  for (const [message, field] of cases) {
    const payload = await refused(listener, JSON.stringify(message))
    expect(payload.code, field).toBe('VALIDATION_ERROR')
    expect(payload.details, field).toMatchObject([{ field }])
    expect(String(payload.message).length).toBeLessThan(300)
  }
  await listener.subscribe()
})

it('a message with much that is wrong is answered shortly', async () => {
  const listener = await connected()
  const filters = [
    Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`f${n}`, 1])),
    { ['x'.repeat(60_000)]: 1 },
    { event_types: Array(8000).fill('no') },
    { dataset: 'x'.repeat(60_000) },
  ]
  for (const each of filters) {
    const { code } = await refused(listener, JSON.stringify({ type: 'subscribe', payload: { filters: each } }))
    expect(code).toBe('VALIDATION_ERROR')
    expect(listener.texts.at(-1)!.length).toBeLessThan(10_000)
  }
})

it('a filter on a job that does not exist yet is taken', async () => {
  const listener = await connected()
  const filters = { job_id: 'job_123', event_types: ['record_created', 'record_updated'] }
  expect((await listener.subscribe({ filters })).payload).toMatchObject({ recovered: false })
})

it('messages are not compressed, whatever the client offers', async () => {
  const listener = await connected()
  expect(listener.ws.extensions).toBe('')
})

describe('on the wire', () => {
  const FIN = 0x80
  const MASKED = 0x80
  const [CONTINUATION, TEXT, PING] = [0x0, 0x1, 0x9]

  /** A frame as a client sends it: masked, with a mask of zeros. */
  function frame(first: number, text: string | Buffer): Buffer {
    const body = Buffer.from(text)
    const length = Buffer.alloc(body.length < 126 ? 1 : 3)
    if (body.length < 126) length[0] = MASKED | body.length
    else {
      length[0] = MASKED | 126
      length.writeUInt16BE(body.length, 1)
    }
    return Buffer.concat([Buffer.from([first]), length, Buffer.alloc(4), body])
  }

  async function upgraded(): Promise<RawClient> {
    const client = await openRaw(service)
    const upgrade = { Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Version': 13 }
    client.write(head(service, 'GET /ws', { ...upgrade, 'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==' }))
    await client.untilReceived(/^HTTP\/1.1 101 /)
    return client
  }

  it('a message may come in pieces, with a ping between them', async () => {
    const client = await upgraded()
    client.write(frame(TEXT, '{"type":'))
    client.write(frame(FIN | PING, 'are you there'))
    client.write(frame(CONTINUATION, '"pi'))
    client.write(frame(FIN | CONTINUATION, 'ng"}'))
    await client.untilReceived(/are you there[\s\S]*"type":"pong"/)
    client.end()
  })

  it('the pieces of a message count together', async () => {
    const client = await upgraded()
    client.write(frame(TEXT, ' '.repeat(40_000)))
    client.write(frame(FIN | CONTINUATION, ' '.repeat(40_000)))
    await client.untilReceived(/more than 65536 bytes/)
    await client.closed
  })

  it.each([
    ['a frame of an unknown kind', frame(FIN | 0x3, '{"type":"ping"}')],
    ['a bit that only extensions set', frame(FIN | 0x40 | TEXT, '{"type":"ping"}')],
    ['a continuation of nothing', frame(FIN | CONTINUATION, '{"type":"ping"}')],
    ['a long ping', frame(FIN | PING, 'x'.repeat(126))],
    ['text that is not UTF-8', frame(FIN | TEXT, Buffer.from([0x22, 0xff, 0xfe, 0x22]))],
    [
      'a megabyte and more',
      Buffer.concat([Buffer.from([FIN | TEXT, 0xff, 0, 0, 0, 0, 0, 0x20, 0, 0]), Buffer.alloc(8)]),
    ],
  ])('%s ends the connection, and no other', async (_, bytes) => {
    const [client, other] = [await upgraded(), await connected()]
    client.write(bytes)
    await client.closed
    expect(client.received()).not.toContain('"pong"')
    other.send('ping')
    await other.next('pong')
  })
})
