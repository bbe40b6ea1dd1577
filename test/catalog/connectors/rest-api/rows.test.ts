import { describe, expect, it } from 'vitest'
import type { RefusedRow } from '../../../../src/catalog/connectors/connector.ts'
import { scanBody } from '../../../../src/catalog/connectors/rest-api/body.ts'
import { createRowReader } from '../../../../src/catalog/connectors/rest-api/rows.ts'
import { JsonError } from '../../../../src/kernel/json.ts'
import { DEFAULT_LIMITS } from '../../../kit/limits.ts'
import { property, type Random } from '../../../kit/random.ts'
import { openSource, pullAll, pullContext, pullWell, sendJson } from '../../../kit/source.ts'

const limits = { ...DEFAULT_LIMITS, maxDepth: 5, maxRowBytes: 100 }

/** Pulls what an answer has. */
async function pullBody(body: string | Buffer, endpoint: object = {}, more: object = {}) {
  const source = await openSource((_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(body)
  })
  return pullAll(
    { base_url: source.url, endpoints: [endpoint] },
    undefined,
    pullContext({ formatLimits: limits, ...more }),
  )
}

describe('rows', () => {
  it.each<[string, object, string[]]>([
    ['[{"id":1},{"id":2}]', {}, ['{"id":1}', '{"id":2}']],
    [
      '\ufeff [ {"id" : 1e400 , "d":0.10} ,\n{"__proto__":1,"b":2,"a":3}\t] \n',
      {},
      ['{"id" : 1e400 , "d":0.10}', '{"__proto__":1,"b":2,"a":3}'],
    ],
    ['{"a":"ü","a":"😀"}', {}, ['{"a":"ü","a":"😀"}']],
    ['[]', {}, []],
    ['{}', {}, ['{}']],
    ['null', {}, []],
    ['{"data":{"id":1}}', { data_path: '/data' }, ['{"id":1}']],
    ['{"data":null}', { data_path: '/data' }, []],
    ['{"a":[[{"x":1}],{"b/c":[{"x":2}]}]}', { data_path: '/a/1/b~1c' }, ['{"x":2}']],
    ['{"a":[{"x":1}],"a":[{"x":2}]}', { data_path: '/a' }, ['{"x":2}']],
    ['{"":{"m~n":[{"x":1}]}}', { data_path: '//m~0n' }, ['{"x":1}']],
    ['{"d\\u0061ta":[{"x":1}]}', { data_path: '/data' }, ['{"x":1}']],
  ])('of %s', async (body, endpoint, rows) => {
    const { data, error } = await pullBody(body, endpoint)
    expect(error).toBeUndefined()
    expect(data).toEqual(rows)
  })

  it.each<[string, object, string]>([
    ['{"items":[]}', { data_path: '/data' }, 'data_path: the answer has nothing at /data; it has "items"'],
    ['[{"id":1}]', { data_path: '/data' }, 'data_path: the answer has nothing at /data'],
    ['{"data":"no"}', { data_path: '/data' }, 'data_path: expected an array or an object at "/data", found "no"'],
    ['5', {}, 'data_path: expected an array or an object at "", found 5'],
    ['"text"', {}, 'data_path: expected an array or an object at "", found "text"'],
    [
      '{"data":[1],"deep":'.concat('['.repeat(300), ']'.repeat(300), '}'),
      { data_path: '/data' },
      'that is no JSON: nested too deep',
    ],
  ])('not of %.40s', async (body, endpoint, message) => {
    const { error, rows } = await pullBody(body, endpoint)
    expect(error!.message).toContain(message)
    expect([error!.message.startsWith('GET /, page 1: '), rows]).toEqual([true, []])
  })

  it('that are none are refused, and the others taken', async () => {
    const long = `{"x":"${'x'.repeat(100)}"}`
    const deep = '{"a":[[[[[1]]]]],"b":"]}"}'
    const bad = Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xff, 0xe9]), Buffer.from('"}')])
    const parts = [
      '[{"id":1},',
      '"text"',
      ',',
      '5',
      ',',
      'null',
      ',',
      '[{"id":0}]',
      ',',
      long,
      ',',
      deep,
      ',',
      bad,
      ',{"id":"ü"}]',
    ]
    const { data, rows } = await pullBody(Buffer.concat(parts.map(part => Buffer.from(part))), { cursor_field: 'id' })
    expect(data).toEqual(['{"id":1}', '{"id":"ü"}'])
    const refused = rows.flatMap(row => ('refused' in row ? [row.refused] : []))
    const shown = ({ code, original, originalBytes }: RefusedRow) => [
      code,
      Buffer.from(original).toString('latin1'),
      originalBytes,
    ]
    expect(refused.map(shown)).toEqual([
      ['NOT_AN_OBJECT', '"text"', 6],
      ['NOT_AN_OBJECT', '5', 1],
      ['NOT_AN_OBJECT', 'null', 4],
      ['NOT_AN_OBJECT', '[{"id":0}]', 10],
      ['TOO_LONG', long.slice(0, 100), long.length],
      ['TOO_DEEP', deep, deep.length],
      ['INVALID_ENCODING', bad.toString('latin1'), bad.length],
    ])
    expect(refused[0]).toMatchObject({
      field: null,
      value: '"text"',
      message: 'a row is a JSON object, this is "text"',
    })
    expect(rows.every(row => !('number' in row))).toBe(true)
  })

  it('that are deeper than any stack are refused', async () => {
    const { data, rows } = await pullBody(`[{"id":1},${'['.repeat(3_000_000)}${']'.repeat(3_000_000)},{"id":2}]`)
    expect([data, rows.length]).toEqual([['{"id":1}', '{"id":2}'], 3])
  })

  it('of several endpoints have a total only in the last one', async () => {
    const source = await openSource((request, response) => {
      const page = Number(request.url.searchParams.get('page'))
      sendJson(response, { total: 4, rows: page < 3 ? [{ page }, { page }] : [] })
    })
    const endpoint = { path: '/x', data_path: '/rows', pagination: { type: 'page', limit: 2, total_path: '/total' } }
    const { pages } = await pullWell({ base_url: source.url, endpoints: [endpoint, endpoint] })
    expect(pages.map(({ rows, total }) => [rows.length, total])).toEqual([
      [2, null],
      [2, null],
      [0, null],
      [2, 8],
      [2, 8],
      [0, 8],
    ])
  })

  it('of a source without an order: they are taken, and the log says that something is wrong', async () => {
    const all = Array.from({ length: 10 }, (_, id) => ({ id }))
    let asked = 0
    const source = await openSource((request, response) => {
      const offset = Number(request.url.searchParams.get('offset'))
      // Another order with every page: some rows come twice, and others never.
      const shifted = asked++ % 2 === 0 ? all : all.toReversed()
      sendJson(response, { total: asked > 3 ? 9 : 10, rows: shifted.slice(offset, offset + 3) })
    })
    const pagination = { type: 'offset', limit: 3, total_path: '/total' }
    const context = pullContext()
    const config = { base_url: source.url, endpoints: [{ path: '/x', data_path: '/rows', pagination }] }
    const { data, error } = await pullAll(config, undefined, context)
    expect([data.length, error]).toEqual([10, undefined])
    expect(context.told).toContainEqual({
      level: 'warning',
      message: 'the source has given another number of rows than it says it has',
      metadata: { endpoint: 'GET /x', total: 9, rows: 10 },
    })
  })

  it('of a page on another origin come without the credentials', async () => {
    const other = await openSource((_, response) =>
      sendJson(response, {
        rows: [{ id: 2 }],
        next: 'http://u:p@127.0.0.1:PORT/back'.replace('PORT', String(source.port)),
      }),
    )
    const source = await openSource((request, response) =>
      sendJson(
        response,
        request.url.pathname === '/x'
          ? { rows: [{ id: 1 }], next: `${other.url}/y?key=canary&z=1` }
          : { rows: [{ id: 3 }] },
      ),
    )
    const config = {
      ...{ base_url: source.url, params: { key: 'canary' }, auth: { type: 'bearer', token: 'canary' } },
      endpoints: [{ path: '/x', data_path: '/rows', pagination: { type: 'next_url', next_path: '/next' } }],
    }
    const { data, pages } = await pullWell(config)
    expect(data).toEqual(['{"id":1}', '{"id":2}', '{"id":3}'])
    expect(JSON.stringify([other.had, pages])).not.toContain('canary')
    expect(other.had[0]!.url.search).toBe('?z=1')
    expect(source.had[1]!.headers.authorization).toBe('Bearer canary')
  })
})

describe('scanning a body', () => {
  function value(random: Random, depth: number): unknown {
    const kind = random.int(depth > 0 ? 7 : 5)
    if (kind === 5) return Array.from({ length: random.int(4) }, () => value(random, depth - 1))
    if (kind === 6)
      return Object.fromEntries(
        Array.from({ length: random.int(4) }, () => [random.pick(['a', 'b', 'c/d', 'é']), value(random, depth - 1)]),
      )
    return random.pick([null, true, random.int(1e6) / 7, 'te"xt\\', 'ü', '', 0, -5])
  }

  it('finds what JSON.parse finds', async () => {
    await property(2000, random => {
      const parsed = value(random, 4)
      const text = JSON.stringify(parsed, null, random.pick([undefined, 1]))
      const pointers = ['', '/a', '/b/0', '/a/c~1d', '/1/a', '/é', '/0']
      const at = (pointer: string) =>
        pointer
          .split('/')
          .slice(1)
          .reduce<unknown>(
            (found, part) =>
              Object(found) === found ? (found as Record<string, unknown>)[part.replace('~1', '/')] : undefined,
            parsed,
          )
      const dataPath = random.pick(pointers)
      const bytes = Buffer.from(text)
      const { data, rows, values } = scanBody(bytes, dataPath, pointers, 50)
      expect(values.map(each => (each === undefined ? undefined : JSON.parse(each)))).toEqual(pointers.map(at))
      const expected = at(dataPath)
      expect(data === undefined ? undefined : JSON.parse(bytes.toString('utf8', data.start, data.end))).toEqual(
        expected,
      )
      const elements = Array.isArray(expected) ? expected : Object(expected) === expected ? [expected] : []
      expect(rows).toBe(elements.length)
      const reader = createRowReader(bytes, data, {
        limits: { ...limits, maxDepth: 50, maxRowBytes: 10_000 },
        field: 'a',
      })
      const taken = reader.take(1000, 1e9)
      const shown = taken.map(({ row }) =>
        JSON.parse('data' in row ? row.data : Buffer.from(row.refused.original).toString()),
      )
      expect([shown, reader.ended, reader.done]).toEqual([elements, true, elements.length])
      const fields = taken.map(({ field }) => (field === undefined ? undefined : JSON.parse(field)))
      expect(fields).toEqual(elements.map(each => (Object(each) === each && !Array.isArray(each) ? each.a : undefined)))
    })
  })

  it('refuses what JSON.parse refuses', async () => {
    await property(2000, random => {
      const bytes = Buffer.from(JSON.stringify({ a: value(random, 3), rows: [value(random, 2), value(random, 2)] }))
      const broken = Buffer.from(random.chance(0.5) ? bytes.subarray(0, random.int(bytes.length)) : bytes)
      if (broken.length > 0) broken[random.int(broken.length)] = random.pick(Array.from(Buffer.from('{}[],:"0-ex ')))
      const valid = (() => {
        try {
          JSON.parse(broken.toString('latin1'))
          return true
        } catch {
          return false
        }
      })()
      const scan = () => scanBody(broken, '/rows', ['/a/a', '/rows/1'], 50)
      if (valid) expect(scan).not.toThrow()
      else expect(scan).toThrow(JsonError)
    })
  })
})
