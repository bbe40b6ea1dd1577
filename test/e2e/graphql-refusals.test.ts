import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, type Problem, pushBatch, tokenFor } from '../kit/api.ts'
import { type GraphqlAnswer, graphql, refusal } from '../kit/graphql.ts'
import { removeData, type Service, startService, untilProjected } from '../kit/service.ts'

let service: Service
beforeAll(async () => {
  service = await startService()
  await untilProjected(service, (await pushBatch(service, 'flights', [{ id: 'a', data: {} }])).body.position)
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

describe('what is wrong with a query', () => {
  it.each([
    ['an unknown field', '{ jobs { nodes { nam } } }', 'VALIDATION_ERROR', /Cannot query field "nam" on type "Job"/],
    ['a query that is none', '{ jobs', 'VALIDATION_ERROR', /Syntax Error/],
    ['a cursor of nowhere', '{ jobs(after: "!") { nodes { id } } }', 'VALIDATION_ERROR', /after: "!" is not a cursor/],
    [
      'a status that is none',
      '{ jobs(status: "odd") { nodes { id } } }',
      'VALIDATION_ERROR',
      /status: expected pending/,
    ],
    [
      'a data set that is not there',
      '{ records(dataset: "no") { nodes { id } } }',
      'NOT_FOUND',
      /there is no data set no/,
    ],
    ['a topic that is none', '{ events(topic: "no") { nodes { id } } }', 'VALIDATION_ERROR', /topic: "no" is none of/],
    ['a time to come', '{ events(from: "2999-01-01") { nodes { id } } }', 'VALIDATION_ERROR', /from: 2999-01-01 is in/],
    ['a position of another log', '{ events(from: "00000000~log.1") { nodes { id } } }', 'VALIDATION_ERROR', /from: /],
    ['an end that is nothing', '{ events(to: "") { nodes { id } } }', 'VALIDATION_ERROR', /to: expected a position/],
  ])('is said: %s', async (_, query, code, message) => {
    const refused = await refusal(service, query)
    expect([refused.status, refused.code, refused.message]).toEqual([200, code, expect.stringMatching(message)])
    expect(refused.request_id).toMatch(/^req_/)
    const strict = await refusal(service, query, {}, { headers: { accept: 'application/graphql-response+json' } })
    expect(strict.status).toBe(strict.data === undefined ? 400 : 200)
  })

  it('is 401 without a token, 403 without the scope, 415 for another type, 400 for no JSON', async () => {
    const query = '{ jobs { nodes { id } } }'
    const none = await graphql(service, query, {}, { as: null })
    expect([none.status, none.headers.get('www-authenticate')]).toEqual([401, expect.stringContaining('Bearer')])
    const { errors, error } = none.body as GraphqlAnswer & Problem
    expect([errors![0]!.extensions.code, error.code]).toEqual(['UNAUTHORIZED', 'UNAUTHORIZED'])
    expect((await call(service, `/graphql?query=${query}`, { as: null })).status).toBe(401)
    const { access_token: writer } = await tokenFor(service, 'sync:write')
    const refused = await refusal(service, query, {}, { as: writer })
    expect([refused.status, refused.code, refused.message]).toEqual([
      403,
      'FORBIDDEN',
      expect.stringContaining('sync:read'),
    ])
    const { access_token: reader } = await tokenFor(service, 'sync:read')
    const hidden = await refusal(service, '{ events(topic: "sync.access") { nodes { id } } }', {}, { as: reader })
    expect(hidden.code).toBe('FORBIDDEN')
    expect(
      (await call(service, '/graphql', { body: 'query={jobs}', headers: { 'content-type': 'text/plain' } })).status,
    ).toBe(415)
    const broken = await call(service, '/graphql', {
      body: '{"query": ',
      headers: { 'content-type': 'application/json' },
    })
    expect([broken.status, broken.text]).toEqual([400, expect.stringContaining('the body is not JSON')])
  })

  it('is said in the headers of every answer as everywhere', async () => {
    const { headers } = await graphql(service, '{ position }', {}, { headers: { 'x-request-id': 'mine' } })
    expect([headers.get('x-request-id'), headers.get('x-ratelimit-limit')]).toEqual(['mine', '0'])
    const head = await call(service, '/graphql?query={position}', { method: 'HEAD' })
    expect([head.status, head.text]).toEqual([200, ''])
    const wrong = await call(service, '/graphql', { method: 'PUT', body: {} })
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'POST, GET, HEAD'])
  })

  it('is asked by GET too, but nothing is changed by it, nor many at once', async () => {
    const variables = encodeURIComponent('{"d":"flights"}')
    const query = encodeURIComponent('query Q($d: ID!) { dataset(id: $d) { recordsCount } }')
    const { body } = await call(service, `/graphql?query=${query}&variables=${variables}&operationName=Q`)
    expect(body).toEqual({ data: { dataset: { recordsCount: 1 } } })
    const batch = await call(service, '/graphql', { body: [{ query: '{ position }' }, { query: '{ position }' }] })
    expect([batch.status, batch.text]).toEqual([400, expect.stringContaining('Batching is not supported')])
  })
})
