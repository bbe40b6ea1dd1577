import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { runCli } from '../kit/cli.ts'

const completed = (rebuild_id: string, differing: number) => ({
  payload: { rebuild_id, projection: 'records', version: 1, version_before: 1, rows: 1000, differing, gone: 0 },
})
const ANSWERS: Record<string, object | string> = {
  'POST /v1/sync/auth/token': { access_token: 'token' },
  'GET /v1/sync/projections': { items: [{ name: 'records' }] },
  'GET /v1/sync/projections/records': { name: 'records', rebuild: null, last_rebuild: { id: 'reb_2' } },
  'POST /v1/sync/projections/records/rebuild': { name: 'records', rebuild: { id: 'reb_1' } },
  'GET /v1/sync/events': [completed('reb_1', 3), completed('reb_2', 0)].map(each => JSON.stringify(each)).join('\n'),
}

/** A service in which another rebuild has ended since. */
const service = createServer(({ method, url }, answer) => {
  const found = ANSWERS[`${method} ${url!.split('?')[0]}`]
  answer.writeHead(found === undefined ? 404 : 200)
  answer.end(typeof found === 'string' ? found : JSON.stringify(found ?? {}))
})
beforeAll(() => new Promise<void>(resolve => void service.listen(0, '127.0.0.1', resolve)))
afterAll(() => void service.close())

it('tells how the rebuild has ended that it waited for, also when another one has ended since', async () => {
  const url = `http://127.0.0.1:${(service.address() as AddressInfo).port}/v1/sync`
  const env = { ADMIN_CLIENT_ID: 'someone', ADMIN_CLIENT_SECRET: 'secret' }
  const ended = await runCli({ url, dataDir: '/nowhere' }, ['rebuild', 'records'], { env })
  const line = 'records: 1,000 rows made anew, 3 DIFFERED and are mended\n'
  expect(ended).toMatchObject({ code: 1, stdout: line, stderr: '' })
})
