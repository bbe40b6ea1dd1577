import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { settingRows } from '../../src/config.ts'
import { call, credentialsOf, type Page, pushBatch, readRecords, tokenFor } from '../kit/api.ts'
import { type Running, run, until } from '../kit/processes.ts'
import { head, openRaw, openStream, receiptsOf } from '../kit/raw.ts'
import { type Service, startService } from '../kit/service.ts'
import { listen } from '../kit/sockets.ts'

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))

let dataDir: string
let started: Service[]
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'sync-lifecycle-'))
  started = []
})
afterEach(async () => {
  for (const service of started) await service.stop('SIGKILL')
  rmSync(dataDir, { recursive: true, force: true })
})

async function start(env: Record<string, string> = {}): Promise<Service> {
  const service = await startService(env, { dataDir })
  started.push(service)
  return service
}

const line = (n: number) => `{"id":"r${String(n).padStart(6, '0')}","data":{"n":${n}}}\n`

describe('SIGTERM', () => {
  it('ends a stream push with what is in, exits with 0, and all of that is there after a restart', async () => {
    const service = await start()
    const client = await openStream(service, 'dataset=stopped', true)
    let sent = 0
    const more = () => {
      client.chunk(Array.from({ length: 500 }, () => line(sent++)).join(''))
    }
    more()
    await client.untilReceived(/"through":/)
    const sending = setInterval(more, 1)
    await client.untilReceived(/"through":\d{4,}/)
    const ended = service.stop()
    await client.closed
    clearInterval(sending)
    expect(await ended).toBe(0)
    const receipts = receiptsOf(client)
    const [, json] = /^(\{"error":.*"request_id".*\})$/m.exec(client.received()) ?? []
    const summary = JSON.parse(json!)
    expect(summary.error).toMatchObject({ code: 'UNAVAILABLE' })
    expect(summary.accepted).toBeGreaterThanOrEqual(receipts.at(-1)!.accepted)

    const again = await start()
    const rows = await readRecords(again, 'stopped', summary.position)
    const ids = rows.map(({ id }) => Number(id.slice(1)))
    expect(ids).toEqual([...ids.keys()])
    // What the summary names is in; of what came later nothing is.
    expect(ids).toHaveLength(summary.accepted)
  })

  it('lets a push that is under way come to its end, and takes no new one', async () => {
    const service = await start()
    const body = JSON.stringify({ source: 'tests', dataset: 'last', records: [{ id: 'a', data: {} }] })
    const client = await openRaw(service)
    const headers = { 'Content-Type': 'application/json', 'Content-Length': body.length }
    client.write(head(service, 'POST /push/batch', headers))
    client.write(body.slice(0, 10))
    // A connection that was there before: new ones are not taken any more.
    const other = await openRaw(service)
    const ask = (path: string) => other.write(head(service, `GET ${path}`))
    ask('/health/ready')
    await other.untilReceived(/^HTTP\/1\.1 200/)
    const ended = service.stop()
    // One at a time: a connection with two requests under way is cut.
    for (let answers = 1; !other.received().includes('HTTP/1.1 503'); answers++) {
      ask('/health/ready')
      await until('an answer', () => other.received().split('HTTP/1.1 ').length - 1 > answers)
    }
    ask('/datasets')
    await other.untilReceived(/HTTP\/1\.1 503 [\s\S]*UNAVAILABLE/)
    expect(other.received()).toMatch(/retry-after: \d+/i)
    client.write(body.slice(10))
    await client.untilReceived(/^HTTP\/1\.1 200 [\s\S]*"accepted":1/)
    expect(await ended).toBe(0)
    await expect(call(service, '/health')).rejects.toThrow()
    const again = await start()
    const { body: page } = await call<Page>(again, '/datasets/last/records')
    expect(page.items).toHaveLength(1)
  })

  it('waits no longer than DRAIN_SECONDS, and a second signal ends at once', async () => {
    const body = { 'Content-Type': 'application/json', 'Content-Length': 100 }
    const brief = await start({ DRAIN_SECONDS: '1' })
    const client = await openRaw(brief)
    client.write(head(brief, 'POST /push/batch', body))
    client.write('{')
    await pushBatch(brief, 'other', [{ id: 'a', data: {} }])
    expect(await brief.stop()).toBe(0)

    const long = await start({ DRAIN_SECONDS: '60' })
    const second = await openRaw(long)
    second.write(head(long, 'POST /push/batch', body))
    second.write('{')
    await pushBatch(long, 'other', [{ id: 'b', data: {} }])
    const ended = long.stop()
    // It has heard the first signal when it is not ready any more, or takes no connections.
    await expect
      .poll(() =>
        call(long, '/health/ready').then(
          ({ status }) => status,
          () => 503,
        ),
      )
      .toBe(503)
    long.process.child.kill('SIGTERM')
    expect(await ended).toBe(1)
  })
})

describe('a second start on the same DATA_DIR', () => {
  it('keeps credentials, tokens, keys, revocations, the log, its positions and the rows', async () => {
    const first = await start()
    const made = { name: 'kept', permissions: ['sync:read'] }
    const { key } = (await call<{ key: string }>(first, '/api-keys', { body: made })).body
    const [kept, revoked, spent] = [await tokenFor(first), await tokenFor(first), await tokenFor(first)]
    await call(first, '/auth/revoke', { as: null, body: { token: revoked.access_token } })
    const refresh = { grant_type: 'refresh_token', refresh_token: spent.refresh_token }
    expect((await call(first, '/auth/refresh', { as: null, body: refresh })).status).toBe(200)
    const { position: before } = (await pushBatch(first, 'kept', [{ id: 'a', data: { n: 1 } }])).body
    const { position } = (await pushBatch(first, 'kept', [{ id: 'b', data: { n: 2 } }])).body
    const credentials = credentialsOf(first)
    const rows = await readRecords(first, 'kept', position)
    expect(await first.stop()).toBe(0)

    const second = await start()
    expect(credentialsOf(second)).toEqual(credentials)
    expect((await call(second, '/datasets', { as: kept.access_token })).status).toBe(200)
    expect((await call(second, '/datasets', { as: revoked.access_token })).status).toBe(401)
    expect((await call(second, '/datasets', { as: null, headers: { 'x-api-key': key } })).status).toBe(200)
    const again = { grant_type: 'refresh_token', refresh_token: kept.refresh_token }
    expect((await call(second, '/auth/refresh', { as: null, body: again })).status).toBe(200)
    expect((await call(second, '/auth/refresh', { as: null, body: refresh })).status).toBe(401)
    expect(await readRecords(second, 'kept', position)).toEqual(rows)

    const listener = await listen(second)
    await listener.subscribe({ since: before, filters: { dataset: 'kept' } })
    const next = (await pushBatch(second, 'kept', [{ id: 'c', data: {} }])).body
    expect(next.position.split('~')[0]).toBe(position.split('~')[0])
    await listener.untilChange('c')
    expect(listener.changes().map(({ position }) => position)).toEqual([position, next.position])
    listener.close()
  })

  it('has what was acknowledged before a kill, and projects what was not', async () => {
    const first = await start()
    const lines = Array.from({ length: 20_000 }, (_, n) => line(n)).join('')
    const headers = { 'content-type': 'application/x-ndjson' }
    const pushed = await call<{ position: string }>(first, '/push/stream?dataset=killed', { body: lines, headers })
    await first.stop('SIGKILL')
    const second = await start()
    expect(await readRecords(second, 'killed', pushed.body.position)).toHaveLength(20_000)
  })
})

describe('the command line', () => {
  function cli(args: string[], env: Record<string, string> = {}): Running {
    return run(process.execPath, ['--disable-warning=ExperimentalWarning', CLI, ...args], {
      cwd: dataDir,
      env: { PATH: process.env.PATH ?? '', PORT: '0', DATA_DIR: join(dataDir, 'data'), ...env },
    })
  }

  async function refusal(args: string[], env: Record<string, string>): Promise<string> {
    const running = cli(args, env)
    const code = await new Promise(resolve => running.child.on('close', resolve))
    expect([code === 0, running.output()]).toEqual([false, expect.stringMatching(/^superinsight-sync: .+\n$/)])
    return running.output()
  }

  it('shows every setting with its default in --help', async () => {
    for (const args of [['--help'], ['-h'], []]) {
      const running = cli(args)
      expect(await new Promise(resolve => running.child.on('close', resolve))).toBe(0)
      for (const [name, shown, about] of settingRows()) {
        const row = running
          .output()
          .split('\n')
          .find(each => each.trim().startsWith(`${name} `))
        expect([name, row]).toEqual([name, expect.stringContaining(about)])
        expect(row).toContain(shown)
      }
    }
  })

  it.each([
    [{ PORT: '99999' }, 'PORT=99999'],
    [{ PORT: 'http' }, 'PORT=http'],
    [{ PORT: '80.5' }, 'PORT=80.5'],
    [{ RATE_LIMIT_PUSH: '-1' }, 'RATE_LIMIT_PUSH=-1'],
    [{ LOG_LEVEL: 'loud' }, 'LOG_LEVEL=loud'],
    [{ ENCRYPTION_KEY: 'abc' }, 'ENCRYPTION_KEY'],
    [{ MAX_BODY_BYTES: '1' }, 'MAX_BODY_BYTES=1'],
    [{ KAFKA_BROKERS: '127.0.0.1:1' }, 'SCHEMA_REGISTRY_URL'],
    [{ DATABASE_URL: 'localhost:5432/sync' }, 'DATABASE_URL=localhost:5432/sync: expected postgres://'],
    [{ HOST: 'no such host' }, 'no such host'],
  ])('refuses %j in one line and exits with an error', async (env, named) => {
    expect(await refusal(['serve'], env as Record<string, string>)).toContain(named)
  })

  it('refuses an unknown command or option in one line', async () => {
    expect(await refusal(['frobnicate'], {})).toContain('frobnicate')
    expect(await refusal(['serve', '--fast'], {})).toContain('--fast')
  })

  it('refuses a DATA_DIR that is a file in one line', async () => {
    const file = join(dataDir, 'file')
    writeFileSync(file, '')
    expect(await refusal(['serve'], { DATA_DIR: file })).toContain(file)
  })

  it('refuses a PORT that is in use, by another program or by itself', async () => {
    const server = createServer()
    const port = await new Promise<number>(resolve => {
      server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port))
    })
    expect(await refusal(['serve'], { PORT: String(port) })).toContain(String(port))
    server.close()
    const service = await start()
    const own = new URL(service.url).port
    expect(await refusal(['serve'], { PORT: own })).toContain(own)
    expect((await call(service, '/datasets')).status).toBe(200)
  })
})
