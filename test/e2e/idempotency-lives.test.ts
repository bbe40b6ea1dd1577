import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { type Answer, call, type PushAnswer, pushLines, readRecords } from '../kit/api.ts'
import { openStream } from '../kit/raw.ts'
import { type Service, startService, untilProjected } from '../kit/service.ts'

// A test here starts several services, one after the other.
vi.setConfig({ testTimeout: 240_000 })

let dataDir: string
let service: Service
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'sync-keys-'))
})
afterEach(async () => {
  await service.stop('SIGKILL')
  rmSync(dataDir, { recursive: true, force: true })
})

async function start(env: Record<string, string> = {}): Promise<void> {
  service = await startService(env, { dataDir })
}

const line = (id: string | number, n = 1) => `{"id":"r${id}","data":{"n":${n}}}\n`
const key = (name: string) => ({ 'idempotency-key': name })
/** Twice the same id: taken a second time, it would be a third and a fourth version. */
const twice = JSON.stringify({ dataset: 'd', records: [1, 2].map(n => ({ id: 'a', data: { n } })) })
const push = (name: string) =>
  call<PushAnswer>(service, '/push/batch', {
    body: twice,
    headers: { 'content-type': 'application/json', ...key(name) },
  })
async function versions(dataset: string, { body }: Answer<PushAnswer>): Promise<number[]> {
  await untilProjected(service, body.position)
  return (await readRecords(service, dataset, body.position)).map(({ version }) => version)
}

it('a key is known after a restart, and after kill -9', async () => {
  await start()
  const first = await push('kept')
  expect(first.status).toBe(200)
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    await service.stop(signal)
    await start()
    const again = await push('kept')
    expect([again.status, again.text, again.headers.get('idempotency-replayed')]).toEqual([200, first.text, 'true'])
    expect(await versions('d', again)).toEqual([2])
  }
})

it('killed when the key was kept and nothing was answered yet: the answer is given in the next life', async () => {
  await start({ CRASH_AT: 'keys.kept' })
  await expect(push('killed')).rejects.toThrow()
  await start()
  const again = await push('killed')
  expect([again.status, again.body.accepted, again.headers.get('idempotency-replayed')]).toEqual([200, 2, 'true'])
  expect(await versions('d', again)).toEqual([2])
})

it('killed before the key was kept: the push is made again', async () => {
  await start({ CRASH_AT: 'keys.written' })
  await expect(push('killed')).rejects.toThrow()
  await start()
  const again = await push('killed')
  expect([again.status, again.body.accepted, again.headers.get('idempotency-replayed')]).toEqual([200, 2, null])
  expect((await push('killed')).headers.get('idempotency-replayed')).toBe('true')
})

it('kill -9 in the middle of a stream: sent again it is taken whole, and what was in is not changed twice', async () => {
  await start()
  const lines = Array.from({ length: 30_000 }, (_, n) => line(n, n))
  const client = await openStream(service, 'dataset=killed', true, { 'Idempotency-Key': 'stream' })
  client.chunk(lines.slice(0, 10_000).join(''))
  await client.untilReceived(/"through":10000,/)
  client.chunk(lines.slice(10_000, 20_000).join(''))
  await service.stop('SIGKILL')
  await start()
  const again = await pushLines(service, 'dataset=killed', lines.join(''), key('stream'))
  expect([again.status, again.body.accepted, again.headers.get('idempotency-replayed')]).toEqual([200, 30_000, null])
  const told = await versions('killed', again)
  expect([told.length, new Set(told)]).toEqual([30_000, new Set([1])])
  const third = await pushLines(service, 'dataset=killed', lines.join(''), key('stream'))
  expect([third.text, third.headers.get('idempotency-replayed')]).toEqual([again.text, 'true'])
})

it('a stream that a stop broke off with 503 may be sent again', async () => {
  await start()
  const client = await openStream(service, 'dataset=stopped', true, { 'Idempotency-Key': 'stopped' })
  client.chunk(line(1))
  await client.untilReceived(/"through":1,/)
  await service.stop()
  expect(client.received()).toContain('UNAVAILABLE')
  await start()
  const again = await pushLines(service, 'dataset=stopped', line(1) + line(2), key('stopped'))
  expect([again.status, again.body.accepted, again.headers.get('idempotency-replayed')]).toEqual([200, 2, null])
  expect(await versions('stopped', again)).toEqual([1, 1])
})

it('a key is kept for as long as the setting says', async () => {
  await start({ IDEMPOTENCY_SECONDS: '1' })
  const first = await push('short')
  const taken = async (): Promise<Answer<PushAnswer>> => {
    const again = await push('short')
    return again.headers.get('idempotency-replayed') === null ? again : taken()
  }
  const again = await taken()
  expect([again.status, again.body.request_id === first.body.request_id]).toEqual([200, false])
})
