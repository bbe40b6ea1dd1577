import { expect, it } from 'vitest'
import { socketAddress } from '../../client/src/address.ts'
import { connect } from '../../client/src/index.ts'

it.each([
  ['https://sync.example.com/v1/sync', 'wss://sync.example.com/v1/sync/ws'],
  ['http://127.0.0.1:8080/v1/sync//', 'ws://127.0.0.1:8080/v1/sync/ws'],
  ['HTTP://[::1]/v1/sync', 'ws://[::1]/v1/sync/ws'],
  ['wss://sync.example.com', 'wss://sync.example.com/ws'],
])('the WebSocket of %s is at %s', (url, address) => {
  expect(socketAddress(url)).toBe(address)
})

it.each([
  ['http://no host', '"http://no host"'],
  ['', '""'],
  [undefined, 'undefined'],
  ['/v1/sync', '"/v1/sync"'],
  ['localhost:8080/v1/sync', '"localhost:8080/v1/sync"'],
  ['ftp://sync.example.com/v1/sync', '"ftp://sync.example.com/v1/sync"'],
  ['https://sync.example.com/v1/sync?token=secret', '"https://sync.example.com/v1/sync…"'],
  ['https://sync.example.com/v1/sync#secret', '"https://sync.example.com/v1/sync…"'],
  ['https://ann:secret@sync.example.com/v1/sync', '"https://…@sync.example.com/v1/sync"'],
])('connect throws what is wrong with %s, and no secret', (url, got) => {
  const message = `url: expected where the API is, such as https://sync.example.com/v1/sync: http or https, no user, query or fragment; got ${got}`
  expect(() => connect({ url: url as string, token: 't' })).toThrow(
    expect.objectContaining({ name: 'SyncError', code: 'VALIDATION_ERROR', message }),
  )
})
