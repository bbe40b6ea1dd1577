import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, NDJSON, type PushAnswer, pushLines, readRecords } from '../kit/api.ts'
import { openStream, type Receipt, receiptsOf } from '../kit/raw.ts'
import { rejectedRows } from '../kit/rejected.ts'
import { removeData, type Service, startService } from '../kit/service.ts'

let service: Service
beforeAll(async () => {
  service = await startService()
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

const line = (id: string | number, n: unknown = 1) => `{"id":"${id}","data":{"n":${n}}}\n`
const lines = (count: number, from = 0) => Array.from({ length: count }, (_, n) => line(`r${from + n}`, n)).join('')

async function idsOf(dataset: string, position: string): Promise<string[]> {
  return (await readRecords(service, dataset, position)).map(({ id }) => id)
}

describe('POST /push/stream', () => {
  it('takes the documented body', async () => {
    const body =
      '{"id": "1", "data": {"name": "A"}}\n{"id": "2", "data": {"name": "B"}}\n{"id": "3", "data": {"name": "C"}}'
    const answer = await pushLines(service, 'source=documented', body)
    expect(answer.status).toBe(200)
    const { request_id, processing_time_ms, position, ...rest } = answer.body
    expect(rest).toEqual({ accepted: 3, rejected: 0, errors: [] })
    expect(request_id).toBe(answer.headers.get('x-request-id'))
    expect(processing_time_ms).toBeGreaterThanOrEqual(0)
    expect(await idsOf('documented', position)).toEqual(['1', '2', '3'])
  })

  it.each([
    ['no newline at the end', '{"id":"a","data":{}}\n{"id":"b","data":{}}', 2],
    ['CR LF', '{"id":"a","data":{}}\r\n{"id":"b","data":{}}\r\n', 2],
    ['blank lines', '\n\n{"id":"a","data":{}}\n  \t\r\n\n{"id":"b","data":{}}\n\n', 2],
    ['white space in a line', ' \t{ "id" : "a" ,\t"data" : { } } \n', 1],
  ])('takes %s', async (_name, body, accepted) => {
    const answer = await pushLines(service, 'dataset=layouts', body)
    expect([answer.status, answer.body.accepted, answer.body.rejected]).toEqual([200, accepted, 0])
  })

  it('takes data in the values it came in', async () => {
    const data = '{"big":9007199254740993,"one":1.0,"z":1,"a":2,"__proto__":{"x":1},"t":"日本語 🎉"}'
    const { body } = await pushLines(service, 'dataset=exact', `{"id":"a","data":${data}}\n`)
    const { text } = await call(service, `/datasets/exact/records?min_position=${body.position}`)
    expect(text).toContain(`"data":${data},`)
  })

  it('is 400 for a body without records, 415 for another type or encoding, 400 for unknown options', async () => {
    for (const empty of ['', '\n', ' \n\t\n']) {
      const answer = await pushLines(service, 'dataset=e', empty)
      expect([answer.status, answer.body.error?.code]).toEqual([400, 'VALIDATION_ERROR'])
    }
    const wrongType = await pushLines(service, 'dataset=e', line('a'), { 'content-type': 'application/json' })
    expect([wrongType.status, wrongType.body.error?.code]).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE'])
    const wrongEncoding = await pushLines(service, 'dataset=e', line('a'), { 'content-encoding': 'br' })
    expect([wrongEncoding.status, wrongEncoding.body.error?.code]).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE'])
    for (const query of ['ack=maybe', 'upsert=1', 'dataset=', `source=${'x'.repeat(201)}`]) {
      const answer = await pushLines(service, query, line('a'))
      expect([query, answer.status, answer.body.error?.details[0]?.field]).toEqual([query, 400, query.split('=')[0]])
    }
  })

  it('has the options of a batch in its query: upsert, ack', async () => {
    await pushLines(service, 'dataset=options&ack=projected', line('a', 1))
    expect((await call(service, '/datasets/options/records/a')).status).toBe(200)
    const { body } = await pushLines(service, 'dataset=options&upsert=false', line('a', 2) + line('b', 2))
    const rows = (await readRecords(service, 'options', body.position)).map(({ id, data }) => [id, data.n])
    expect(rows).toEqual([
      ['a', 1],
      ['b', 2],
    ])
  })

  it('takes the same ids in their order', async () => {
    const body = Array.from({ length: 3000 }, (_, n) => line(`k${n % 3}`, n)).join('')
    const answer = await pushLines(service, 'dataset=order', body)
    const rows = await readRecords(service, 'order', answer.body.position)
    expect(rows.map(({ id, data, version }) => [id, data.n, version])).toEqual([
      ['k0', 2997, 1000],
      ['k1', 2998, 1000],
      ['k2', 2999, 1000],
    ])
  })

  it('may come zipped', async () => {
    const zipped = { 'content-encoding': 'gzip' }
    const answer = await pushLines(service, 'dataset=zipped', gzipSync(lines(20_000)), zipped)
    expect([answer.status, answer.body.accepted]).toEqual([200, 20_000])
    const cut = await pushLines(service, 'dataset=zipped', gzipSync(lines(20_000)).subarray(0, -20), zipped)
    expect([cut.status, cut.body.error?.message]).toEqual([400, expect.stringContaining('gzip')])
    const plain = await pushLines(service, 'dataset=zipped', line('a'), zipped)
    expect([plain.status, plain.body.error?.code]).toEqual([400, 'VALIDATION_ERROR'])
  })

  it('may come in chunks that end anywhere, in the middle of a character too', async () => {
    const bytes = Buffer.from(Array.from({ length: 40 }, (_, n) => line(`ü${n}`, `"日本語 ${n}"`)).join(''))
    for (const size of [1, 7, 1000]) {
      const client = await openStream(service, `dataset=chunks${size}`, false)
      for (let at = 0; at < bytes.length; at += size) client.chunk(bytes.subarray(at, at + size))
      client.chunk('')
      const [, json] = await client.untilReceived(/^HTTP\/1\.1 200[\s\S]*?(\{"request_id".*\})$/m)
      const { accepted, position } = JSON.parse(json!) as PushAnswer
      expect(accepted).toBe(40)
      const rows = await readRecords(service, `chunks${size}`, position)
      expect(new Set(rows.map(({ data }) => data.n))).toEqual(
        new Set(Array.from({ length: 40 }, (_, n) => `日本語 ${n}`)),
      )
      client.end()
    }
  })
})

describe('lines that are wrong', () => {
  const deep = `{"id":"x","data":${'{"a":'.repeat(200)}1${'}'.repeat(200)}}`
  const long = `{"id":"x","data":{"t":"${'x'.repeat(2 * 1024 * 1024)}"}}`
  const notUtf8 = Buffer.from('{"id":"x","data":{"t":"~~"}}')
  notUtf8.set([0xc3, 0x28], notUtf8.indexOf('~~'))
  const wrong: [row: string | Buffer, code: string, field: string | null][] = [
    ['{"id":"x","data":{}', 'INVALID_JSON', null],
    ['{"id":"x","data":{"n":01}}', 'INVALID_JSON', null],
    ['{"id":"x","data":{"n":NaN}}', 'INVALID_JSON', null],
    ['{"id":"x","data":{},}', 'INVALID_JSON', null],
    ["{'id':'x'}", 'INVALID_JSON', null],
    ['{"id":"x","data":{"t":"a\tb"}}', 'INVALID_JSON', null],
    ['{"id":"x","data":{}} {"id":"y","data":{}}', 'INVALID_JSON', null],
    ['hello', 'INVALID_JSON', null],
    [notUtf8, 'INVALID_UTF8', null],
    [long, 'TOO_LONG', null],
    [deep, 'TOO_DEEP', null],
    ['{"data":{}}', 'MISSING_FIELD', 'id'],
    ['{"id":5,"data":{}}', 'INVALID_FIELD', 'id'],
    ['{"id":"x","data":{},"extra":1}', 'UNKNOWN_FIELD', 'extra'],
    ['[]', 'INVALID_FIELD', null],
  ]
  /** Every second line is good; the first line is 1. */
  const body = Buffer.concat(
    wrong.flatMap(([row], n) => [Buffer.from(row), Buffer.from('\n'), Buffer.from(line(`good${n}`))]),
  )
  const expected = wrong.map(([, code, field], n) => ({ index: n * 2, line: n * 2 + 1, code, field }))

  it('are refused one by one, by number, and the good ones go in', async () => {
    const answer = await pushLines(service, 'dataset=mixed', body)
    expect(answer.status).toBe(207)
    expect([answer.body.accepted, answer.body.rejected]).toEqual([wrong.length, wrong.length])
    for (const [n, error] of expected.entries()) expect(answer.body.errors[n]).toMatchObject(error)
    expect(await idsOf('mixed', answer.body.position)).toHaveLength(wrong.length)
  })

  it('are in sync.rejected with their bytes', async () => {
    const { body: answer } = await pushLines(service, 'dataset=kept', body)
    const kept = (await rejectedRows(service, 'kept')).sort((a, b) => a.line - b.line)
    expect(kept.map(({ line, code, field }) => ({ index: line - 1, line, code, field }))).toEqual(expected)
    for (const [n, [row, code]] of wrong.entries()) {
      const { original, original_bytes, request_id, stage } = kept[n]!
      expect([original_bytes, request_id, stage]).toEqual([Buffer.byteLength(row), answer.request_id, 'parse'])
      const most = code === 'TOO_LONG' ? 1024 * 1024 : Number.POSITIVE_INFINITY
      expect(Buffer.from(original).equals(Buffer.from(row).subarray(0, most))).toBe(true)
    }
  })

  it('are refused all the same when they come zipped, or in small pieces', async () => {
    const zipped = await pushLines(service, 'dataset=zipped-mixed', gzipSync(body), { 'content-encoding': 'gzip' })
    expect(zipped.body.errors).toMatchObject(expected)
    const client = await openStream(service, 'dataset=pieces', false)
    for (let at = 0; at < body.length; at += 1013) client.chunk(body.subarray(at, at + 1013))
    client.chunk('')
    const [, json] = await client.untilReceived(/^HTTP\/1\.1 207[\s\S]*?(\{"request_id".*\})$/m)
    expect((JSON.parse(json!) as PushAnswer).errors).toMatchObject(expected)
    client.end()
  })

  it('answer 400 when there is no good one', async () => {
    const answer = await pushLines(service, 'dataset=none', 'x\ny\n')
    expect([answer.status, answer.body.accepted, answer.body.rejected]).toEqual([400, 0, 2])
    expect(answer.body.error!.code).toBe('VALIDATION_ERROR')
    expect(await rejectedRows(service, 'none')).toHaveLength(2)
  })

  it('may be as long as 1 MiB, and no longer', async () => {
    const lineOf = (bytes: number) => `{"id":"${bytes}","data":{"t":"${'x'.repeat(bytes - 50)}"}}`.padEnd(bytes)
    const most = 1024 * 1024
    const { body: answer } = await pushLines(service, 'dataset=long', `${lineOf(most)}\n${lineOf(most + 1)}\n`)
    expect([answer.accepted, answer.errors[0]]).toEqual([1, expect.objectContaining({ line: 2, code: 'TOO_LONG' })])
    const [row] = await readRecords(service, 'long', answer.position)
    expect((row!.data.t as string).length).toBeGreaterThan(most - 100)
  })
})

describe('receipts', () => {
  it('come while the body is still coming, and the last line is the summary', async () => {
    const client = await openStream(service, 'dataset=receipts', true)
    client.chunk(lines(10))
    await client.untilReceived(/^\{"through":10,.*\}$/m)
    expect(client.received()).toMatch(/^HTTP\/1\.1 200/)
    const [first] = receiptsOf(client)
    expect(Object.keys(first!)).toEqual(['through', 'accepted', 'rejected', 'position'])
    const last = receiptsOf(client).at(-1) as Receipt
    expect(last).toMatchObject({ through: 10, accepted: 10, rejected: 0 })
    expect(await idsOf('receipts', last.position)).toHaveLength(10)

    client.chunk(`${lines(5, 10)}{"id":7}\n{"half`)
    await client.untilReceived(/^\{"through":16,"accepted":15,"rejected":1,.*\}$/m)
    const [, refused] = await client.untilReceived(/^(\{"error":.*\})$/m)
    expect(JSON.parse(refused!).error).toMatchObject({ line: 16, code: 'INVALID_FIELD', field: 'id' })
    client.chunk('-a-line"}\n')
    client.chunk('')
    const [, summary] = await client.untilReceived(/^(\{"request_id".*\})$/m)
    expect(JSON.parse(summary!)).toMatchObject({ accepted: 15, rejected: 2, errors: [{ line: 16 }, { line: 17 }] })
    await client.untilReceived(/\r\n0\r\n\r\n$/)
    client.end()
  })

  it('tell of growing lines, each with a position that includes them', async () => {
    const answer = await fetch(`${service.url}/push/stream?dataset=growing`, {
      method: 'POST',
      headers: { ...NDJSON, accept: 'application/x-ndjson', authorization: `Bearer ${service.token}` },
      body: lines(50_000),
    })
    expect(answer.headers.get('content-type')).toContain('application/x-ndjson')
    const told = (await answer.text()).trim().split('\n')
    const summary = JSON.parse(told.pop()!) as PushAnswer
    expect([summary.accepted, summary.rejected]).toEqual([50_000, 0])
    const receipts = told.map(text => JSON.parse(text) as Receipt)
    expect(receipts.length).toBeGreaterThan(1)
    for (const [n, receipt] of receipts.entries()) {
      expect(receipt.accepted).toBe(receipt.through)
      if (n > 0) expect(receipt.through).toBeGreaterThan(receipts[n - 1]!.through)
    }
    expect(receipts.at(-1)).toMatchObject({ through: 50_000, position: summary.position })
  })

  it('end with an error when there was no good line', async () => {
    const answer = await pushLines(service, 'dataset=nothing', 'x\n', { accept: 'application/x-ndjson' })
    const summary = JSON.parse(answer.text.trim().split('\n').at(-1)!) as PushAnswer
    expect(summary).toMatchObject({ accepted: 0, rejected: 1, error: { code: 'VALIDATION_ERROR' } })
  })
})
