/** Secrets of jobs are in nothing that the service writes or says, at the most talkative level, whatever a source does. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readTopics } from '../../src/adapters.ts'
import { call } from '../kit/api.ts'
import { readTopic } from '../kit/events.ts'
import { jobEnd } from '../kit/forms.ts'
import { openLogOf } from '../kit/life.ts'
import { type PullAnswer, plainJob } from '../kit/pulls.ts'
import { answer, type Source, sourceConfig, startSource } from '../kit/rows-source.ts'
import { removeData, type Service, startService } from '../kit/service.ts'

const CANARIES = {
  token: 'canary-Token/1+x',
  password: 'canary-Password:2@y',
  key: 'canary-Key-3',
  client: 'canary-Client-Secret-4',
  refresh: 'canary-Refresh-5',
  header: 'canary-Header-6',
  parameter: 'canary-Parameter-7',
  salt: 'canary-Salt-8',
  database: 'canary-Database-9',
  events: 'canary-Events-10',
  next: 'canary-Next-11',
}
/** Each as text, and as whoever copied it would have it. */
const SHAPES = Object.values(CANARIES).flatMap(secret => [
  secret,
  encodeURIComponent(secret),
  Buffer.from(secret).toString('base64').replace(/=+$/, ''),
  Buffer.from(secret).toString('hex'),
])

let service: Service
let source: Source
const said: string[] = []
beforeAll(async () => {
  service = await startService({ LOG_LEVEL: 'trace', ALLOW_PRIVATE_ADDRESSES: '1', MAX_RUN_RETRIES: '1' })
  // It sends back what it was sent, with an error, and once it is well.
  source = await startSource({
    rows: () => ['{"id":1}', '{"id":2}'],
    instead(request, response) {
      const told = JSON.stringify({ url: request.url, headers: request.headers })
      if (request.url!.startsWith('/refused')) return answer(response, 403, told)
      if (request.url!.startsWith('/html'))
        return answer(response, 200, `<p>${told}</p>`, { 'content-type': 'text/html' })
      if (request.url!.startsWith('/broken')) return answer(response, 500, told)
      if (request.url!.startsWith('/token')) return answer(response, 400, told)
      if (request.url!.startsWith('/away'))
        return answer(response, 302, told, { location: `http://localhost:1/?${told}` })
      return false
    },
  })
})
afterAll(async () => {
  await source?.stop()
  await service?.stop()
  removeData(service)
})

async function ask<Body = PullAnswer>(path: string, method = 'GET', body?: object): Promise<Body> {
  const { text, headers, body: answered } = await call<Body>(service, path, { method, ...(body && { body }) })
  said.push(text, JSON.stringify([...headers]))
  return answered
}

/** Jobs with a secret in every place that has one. */
function jobs(): object[] {
  const at = (path: string, more: object = {}) => ({
    base_url: source.url,
    endpoints: [{ path, ...more }],
  })
  const rest = (config: object, more: object = {}) =>
    plainJob(source, { connector: { type: 'rest_api', config }, ...more })
  const { token, password, key, client, refresh, header, parameter, salt, database, events } = CANARIES
  const oauth = { token_url: `${source.url}/token`, client_id: 'sync' }
  const url = `postgres://sync:${encodeURIComponent(database)}@127.0.0.1:1/none`
  return [
    rest({ ...sourceConfig(source.url), auth: { type: 'bearer', token } }),
    ...['/refused', '/html', '/broken', '/away'].flatMap(path => [
      rest({ ...at(path), auth: { type: 'bearer', token } }),
      rest({ ...at(path), auth: { type: 'basic', username: 'sync', password } }),
      rest({ ...at(path), auth: { type: 'api_key', in: 'query', name: 'api_key', value: key } }),
      rest({ ...at(path, { params: { token: parameter } }), headers: { 'X-Api-Key': header } }),
    ]),
    rest({ ...at('/rows'), auth: { type: 'oauth2_client_credentials', ...oauth, client_secret: client } }),
    rest({ ...at('/rows'), auth: { type: 'oauth2_refresh', ...oauth, client_secret: client, refresh_token: refresh } }),
    rest(sourceConfig(source.url), { transformations: [{ type: 'hash', config: { fields: ['id'], salt } }] }),
    rest(sourceConfig(source.url), {
      destination: { type: 'database', url, table: 't', mode: 'upsert', key_columns: ['id'] },
    }),
    plainJob(source, {
      connector: {
        type: 'eventstore',
        config: { connection_string: `esdb://admin:${events}@127.0.0.1:1?tls=false`, stream: 's' },
      },
    }),
  ]
}

it('what was told, logged, counted and stored holds none of them', async () => {
  const made: string[] = []
  for (const body of jobs()) {
    await ask('/jobs/validate', 'POST', body)
    await ask('/jobs/preview', 'POST', body)
    const job = await ask('/jobs', 'POST', body)
    expect(job.id, JSON.stringify(job)).toMatch(/^job_/)
    made.push(job.id)
    await ask(`/jobs/${job.id}/start`, 'POST', {})
  }
  const states = new Set<string>()
  for (const id of made) {
    states.add((await jobEnd(service, id, 120_000)).status)
    for (const part of ['', '/logs?level=debug&limit=1000', '/runs', '/state']) await ask(`/jobs/${id}${part}`)
    await ask(`/rejected?job_id=${id}`)
  }
  // Both kinds of end were met, so there was something to tell.
  expect(states).toEqual(new Set(['completed', 'failed']))
  const [first] = made
  const { connector } = await ask(`/jobs/${first}`)
  await ask(`/jobs/${first}`, 'PUT', plainJob(source, { connector }))
  const auth = { type: 'bearer', token: CANARIES.next }
  await ask(
    `/jobs/${first}`,
    'PUT',
    plainJob(source, { connector: { type: 'rest_api', config: { ...connector.config, auth } } }),
  )
  await ask('/jobs')
  await ask(`/jobs/${first}`, 'DELETE')
  // What is refused tells what is wrong, and not with what.
  await ask('/jobs', 'POST', plainJob(source, { connector: { type: 'rest_api', config: { base_url: 'x', auth } } }))
  await ask(
    '/jobs',
    'POST',
    plainJob(source, { connector: { type: 'rest_api', config: { auth: { ...auth, more: auth.token } } } }),
  )
  said.push(await (await fetch(`${service.url.replace('/v1/sync', '')}/metrics`)).text())
  said.push(await (await fetch(`${service.url}/metrics`)).text())
  await service.stop()
  said.push(service.process.output())

  const log = await openLogOf(service)
  const events = (await Promise.all(readTopics().map(({ name }) => readTopic(log, name)))).flat()
  said.push(...events.map(({ key, value }) => `${key.toString('latin1')} ${value.toString('latin1')}`))
  await log.stop()
  const files = readdirSync(service.dataDir, { recursive: true, withFileTypes: true }).filter(file => file.isFile())
  expect(files.map(({ name }) => name)).toContain('secrets.db')
  for (const { parentPath, name } of files) said.push(readFileSync(join(parentPath, name), 'latin1'))
  const told = SHAPES.flatMap(shape => said.filter(text => text.includes(shape)).map(text => around(text, shape)))
  expect(told).toEqual([])
}, 300_000)

function around(text: string, shape: string): string {
  const at = text.indexOf(shape)
  return text.slice(Math.max(0, at - 120), at + 120)
}
