import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, pushBatch } from '../kit/api.ts'
import { ask, graphql, refusal } from '../kit/graphql.ts'
import { removeData, type Service, startService, untilProjected } from '../kit/service.ts'

let service: Service
beforeAll(async () => {
  service = await startService({ MAX_GRAPHQL_ANSWER_LENGTH: '65536' })
  const records = Array.from({ length: 40 }, (_, n) => ({ id: `r${n}`, data: { text: 'x'.repeat(3000) } }))
  await untilProjected(service, (await pushBatch(service, 'wide', records)).body.position)
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

const deep = `{ records(dataset: "wide", first: 1) { nodes { ${'inDataset { record(id: "r") { '.repeat(25)} id ${'} }'.repeat(25)} } } }`

describe('what a query may not be', () => {
  it.each([
    ['50 levels deep', deep, 'the query has 53 levels, more than 20'],
    [
      'so dear',
      '{ jobs(first: 1000) { nodes { runs(first: 1000) { nodes { id } } } } }',
      'the query has 2012011 values to give at most, more than 50000',
    ],
    [
      'of 51 aliases',
      `{ ${Array.from({ length: 51 }, (_, n) => `a${n}: position`).join(' ')} }`,
      'the query has 51 aliases, more than 50',
    ],
    [
      'of 10,000 aliases',
      `{ ${Array.from({ length: 10_000 }, (_, n) => `a${n}:position`).join(' ')} }`,
      'the query has 10000 aliases, more than 50',
    ],
    ['of 2,500 brackets', '{a'.repeat(2400), 'the query has 2400 brackets open at once, more than 250'],
    ['of 51 directives', `{ position ${'@skip(if: false) '.repeat(51)} }`, 'the query has 51 directives, more than 50'],
    [
      'for such pages',
      '{ jobs(first: 1001) { nodes { id } } }',
      'first: jobs: expected a whole number from 0 to 1000, got 1001',
    ],
  ])('%s', async (_, query, message) => {
    for (const accept of ['application/json', 'application/graphql-response+json', '*/*']) {
      const refused = await refusal(service, query, {}, { headers: { accept } })
      expect([refused.status, refused.code, refused.message]).toEqual([400, 'VALIDATION_ERROR', message])
      expect(refused.data).toBeUndefined()
    }
  })

  it('for more text than an answer may have', async () => {
    const some = '{ records(dataset: "wide", first: 9) { nodes { data } } }'
    expect((await graphql(service, some)).text.length).toBeGreaterThan(27_000)
    const refused = await refusal(service, some.replace('9', '30'))
    expect([refused.code, refused.message]).toEqual([
      'VALIDATION_ERROR',
      'the answer is made of more than 65536 characters, the limit; ask for fewer things at once',
    ])
    const twice = 'a: records(dataset: "wide", first: 9) { nodes { data } }'
    expect((await refusal(service, `{ ${twice} ${twice.replace('a:', 'b:')} }`)).message).toContain('65536 characters')
    const often = Array.from({ length: 30 }, (_, n) => `d${n}: data`).join(' ')
    const refused30 = await refusal(service, `{ record(dataset: "wide", id: "r1") { ${often} } }`)
    expect(refused30.message).toContain('65536 characters')
  })

  it('in a body that is too large or nests too deep', async () => {
    const nested = '['.repeat(200) + ']'.repeat(200)
    const headers = { 'content-type': 'application/json' }
    const answer = await call(service, '/graphql', {
      body: `{"query":"{position}","variables":{"a":${nested}}}`,
      headers,
    })
    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining('the body is not JSON')])
    const large = await call(service, '/graphql', { body: `{"query":"${' '.repeat(17_000_000)}"}`, headers })
    expect(large.status).toBe(413)
  })
})

it('is counted with all requests of a caller, refused ones too', async () => {
  const own = await startService({ RATE_LIMIT_API: '3' })
  try {
    expect(await ask(own, '{ position }')).toEqual({ position: expect.any(String) })
    await refusal(own, '{ nothing }')
    const { headers } = await graphql(own, '{ position }')
    expect(headers.get('x-ratelimit-remaining')).toBe('0')
    const refused = await graphql(own, '{ position }')
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, expect.stringMatching(/^\d+$/)])
  } finally {
    await own.stop()
    removeData(own)
  }
})
