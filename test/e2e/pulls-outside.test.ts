/** Jobs that pull from servers which are not ours; the table that they fill is held against what the servers say. */
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { OAuth2Server } from 'oauth2-mock-server'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { available } from '../kit/faults.ts'
import { jobEnd } from '../kit/forms.ts'
import { freePort, type Running, run, until } from '../kit/processes.ts'
import { logsOf, makeJob, runJob, sqliteRows, startJob } from '../kit/pulls.ts'
import { pythonPrograms } from '../kit/python.ts'
import { answer } from '../kit/rows-source.ts'
import { removeData, type Service, startService } from '../kit/service.ts'

const ROWS = 537
const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Customers with what is awkward in values: other alphabets, decimals, big numbers, nothing. */
const customers = Array.from({ length: ROWS }, (_, n) => ({
  id: n + 1,
  name: `${['Ana', 'Zoë', '李雷', "O'Neil", 'a "quoted" one'][n % 5]} ${n}`,
  price: `${n}.25${n % 10}5`,
  ratio: n / 7,
  active: n % 3 === 0,
  created_at: new Date(1_700_000_000_000 + n * 86_461_001).toISOString(),
  note: n % 4 === 0 ? null : `line one\nline ${n}`,
}))

const python = findPython()
function findPython(): string | undefined {
  try {
    return pythonPrograms()
  } catch (error) {
    available('pulls from Django and datasette', `They need Python 3 with venv, and PyPI: ${(error as Error).message}`)
    return undefined
  }
}

let folder: string
let service: Service
const servers: Running[] = []
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sync-outside-'))
  writeFileSync(join(folder, 'customers.json'), JSON.stringify(customers))
  service = await startService({ ALLOW_PRIVATE_ADDRESSES: '127.0.0.0/8' })
})
afterAll(async () => {
  await service?.stop()
  await Promise.all(servers.map(server => server.end()))
  removeData(service)
  rmSync(folder, { recursive: true, force: true })
})

async function serve(command: string, args: (port: number) => string[], path: string): Promise<string> {
  const port = await freePort()
  const server = run(command, args(port), { cwd: folder })
  servers.push(server)
  const url = `http://127.0.0.1:${port}`
  await until(`${command} to answer`, async () => (await fetch(url + path)).status < 500, 60_000).catch(error => {
    throw new Error(`${error.message}: ${server.output()}`)
  })
  return url
}

let tables = 0
/** Pulls into a new table of a SQLite file and gives back its rows. */
async function pulled(config: object, repeated = 0): Promise<{ [column: string]: unknown }[]> {
  const file = join(folder, `${tables++}.db`)
  const destination = {
    type: 'database',
    url: `sqlite://${file}`,
    table: 'pulled',
    mode: 'upsert',
    key_columns: ['id'],
  }
  const job = await runJob(service, { name: 'outside', connector: { type: 'rest_api', config }, destination })
  if (job.status !== 'completed') throw new Error(JSON.stringify(await logsOf(service, job.id)))
  expect(job).toMatchObject({ records_processed: ROWS + repeated, records_rejected: 0, progress: 100 })
  return sqliteRows(file, 'select * from pulled order by id')
}

/** A row as a table has it: SQLite knows no booleans. */
function asStored(row: object): object {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name, typeof value === 'boolean' ? Number(value) : value]),
  )
}

describe('json-server', () => {
  let url: string
  beforeAll(async () => {
    writeFileSync(join(folder, 'db.json'), JSON.stringify({ customers }))
    const program = join(ROOT, 'node_modules/json-server/lib/cli/bin.js')
    url = await serve(
      process.execPath,
      port => [program, '--host', '127.0.0.1', '--port', String(port), 'db.json'],
      '/db',
    )
  })

  it.each([
    ['link_header', { type: 'link_header', limit_param: '_limit', limit: 50 }, { _page: 1 }],
    ['page', { type: 'page', page_param: '_page', limit_param: '_limit', limit: 100 }, {}],
    ['offset', { type: 'offset', offset_param: '_start', limit_param: '_limit', limit: 64 }, {}],
    [
      'keyset',
      { type: 'keyset', key_param: 'id_gte', key_field: 'id', limit_param: '_limit', limit: 90 },
      { _sort: 'id' },
    ],
    ['none', { type: 'none' }, {}],
  ])('by %s', async (name, pagination, params) => {
    // Its parameter includes the key, so each page but the first begins with the last row of the one before.
    const repeated = name === 'keyset' ? Math.floor(ROWS / 89) : 0
    const rows = await pulled({ base_url: url, endpoints: [{ path: '/customers', params, pagination }] }, repeated)
    expect(rows).toEqual(customers.map(asStored))
  })

  it('takes only what is new on the second run', async () => {
    const file = join(folder, 'new.db')
    const endpoint = { path: '/customers', cursor_field: 'id', cursor_param: 'id_gte', pagination: { type: 'none' } }
    const { id } = await makeJob(service, {
      name: 'new ones',
      connector: { type: 'rest_api', config: { base_url: url, endpoints: [endpoint] } },
      destination: { type: 'database', url: `sqlite://${file}`, table: 'pulled', mode: 'append' },
    })
    await startJob(service, id)
    expect(await jobEnd(service, id)).toMatchObject({ status: 'completed', records_processed: ROWS })
    const added = { ...customers[0]!, id: ROWS + 1 }
    const headers = { 'content-type': 'application/json' }
    await fetch(`${url}/customers`, { method: 'POST', headers, body: JSON.stringify(added) })
    await startJob(service, id)
    expect(await jobEnd(service, id)).toMatchObject({ status: 'completed', records_processed: 1 })
    expect(sqliteRows(file, 'select id from pulled').map(row => row.id)).toEqual([
      ...customers.map(row => row.id),
      ROWS + 1,
    ])
    await fetch(`${url}/customers/${ROWS + 1}`, { method: 'DELETE' })
  })
})

describe.skipIf(!python)('datasette', () => {
  let url: string
  beforeAll(async () => {
    const db = new DatabaseSync(join(folder, 'shop.db'))
    db.exec(
      'create table customers(id integer primary key, name text, price text, ratio real, active integer, created_at text, note text)',
    )
    const insert = db.prepare('insert into customers values (?, ?, ?, ?, ?, ?, ?)')
    for (const row of customers) insert.run(...(Object.values(asStored(row)) as (string | number | null)[]))
    db.close()
    url = await serve(
      join(python!, 'datasette'),
      port => ['serve', 'shop.db', '--port', String(port)],
      '/-/versions.json',
    )
  })

  it.each([
    ['cursor', { type: 'cursor', cursor_param: '_next', cursor_path: '/next' }],
    ['next_url', { type: 'next_url', next_path: '/next_url' }],
  ])('by %s', async (_name, pagination) => {
    const endpoint = {
      path: '/shop/customers.json',
      params: { _shape: 'objects', _size: '100' },
      data_path: '/rows',
      pagination,
    }
    const rows = await pulled({ base_url: url, endpoints: [endpoint] })
    expect(rows).toEqual(customers.map(asStored))
  })
})

describe.skipIf(!python)('Django REST framework', () => {
  let url: string
  let said: object[]
  const auth = { type: 'basic', username: 'alice', password: 'wonder/land' }
  beforeAll(async () => {
    const program = join(ROOT, 'test/kit/drf.py')
    url = await serve(join(python!, 'python'), port => [program, 'customers.json', String(port)], '/numbers/')
    const headers = { authorization: `Basic ${Buffer.from('alice:wonder/land').toString('base64')}` }
    const all = (await (await fetch(`${url}/numbers/?page_size=100000`, { headers })).json()) as { results: object[] }
    said = all.results
    expect(said).toHaveLength(ROWS)
  })

  it.each([
    [
      'page',
      '/numbers/',
      { type: 'page', page_param: 'page', limit_param: 'page_size', limit: 100, total_path: '/count' },
    ],
    [
      'offset',
      '/offsets/',
      { type: 'offset', offset_param: 'offset', limit_param: 'limit', limit: 70, total_path: '/count' },
    ],
    ['next_url', '/cursors/', { type: 'next_url', next_path: '/next' }],
  ])('by %s, behind basic auth', async (_name, path, pagination) => {
    const rows = await pulled({ base_url: url, auth, endpoints: [{ path, data_path: '/results', pagination }] })
    expect(rows).toEqual(said.map(asStored))
  })

  it('refuses a wrong password with a clear failure', async () => {
    const endpoints = [{ path: '/numbers/', data_path: '/results' }]
    const config = { base_url: url, auth: { ...auth, password: 'not-the-one' }, endpoints }
    const job = await runJob(service, { name: 'refused', connector: { type: 'rest_api', config } })
    expect(job.status).toBe('failed')
    const [last] = (await logsOf(service, job.id, 'error')).slice(-1)
    expect(last!.metadata.message).toContain('401')
    expect(JSON.stringify(await logsOf(service, job.id))).not.toContain('not-the-one')
  })
})

describe('oauth2-mock-server', () => {
  const issuer = new OAuth2Server()
  let tokens = 0
  let url: string
  let stop: () => void
  beforeAll(async () => {
    await issuer.issuer.keys.generate('RS256')
    await issuer.start(0, '127.0.0.1')
    const keys = createRemoteJWKSet(new URL(`${issuer.issuer.url}/jwks`))
    issuer.service.on('beforeResponse', () => void tokens++)
    // Those of one second would be the same.
    issuer.service.on('beforeTokenSigning', token => {
      token.payload.jti = randomUUID()
    })
    const used = new Map<string, number>()
    // Each token is good for three requests: then a 401 comes in the middle of a run.
    const server = createServer(async (request, response) => {
      const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? ''
      const uses = (used.get(token) ?? 0) + 1
      used.set(token, uses)
      const isGood = await jwtVerify(token, keys).then(
        () => uses <= 3,
        () => false,
      )
      if (!isGood) return answer(response, 401, '{"error":"invalid_token"}')
      const page = Number(new URL(request.url!, url).searchParams.get('page') ?? 1)
      return answer(response, 200, JSON.stringify(customers.slice((page - 1) * 50, page * 50)))
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    stop = () => server.close()
  })
  afterAll(async () => {
    stop?.()
    await issuer.stop()
  })

  it.each([
    ['oauth2_client_credentials', { client_id: 'sync', client_secret: 'the secret of sync', scope: 'customers' }],
    [
      'oauth2_refresh',
      { client_id: 'sync', client_secret: 'the secret of sync', refresh_token: 'the token that refreshes' },
    ],
  ])('%s, with tokens that end within the run', async (type, more) => {
    tokens = 0
    const auth = { type, token_url: `${issuer.issuer.url}/token`, ...more }
    const pagination = { type: 'page', page_param: 'page', limit_param: 'limit', limit: 50 }
    const rows = await pulled({ base_url: url, auth, endpoints: [{ path: '/customers', pagination }] })
    expect(rows).toEqual(customers.map(asStored))
    expect(tokens).toBeGreaterThan(2)
  })
})
