import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, type Item, type PushAnswer, pushBatch, readRecords } from '../kit/api.ts'
import { head, openRaw } from '../kit/raw.ts'
import { rejectedRows } from '../kit/rejected.ts'
import { removeData, type Service, startService } from '../kit/service.ts'

const MAX_BODY_BYTES = 200_000
const JSON_TYPE = { 'content-type': 'application/json' }

let service: Service
beforeAll(async () => {
  service = await startService({ MAX_BODY_BYTES: String(MAX_BODY_BYTES), MAX_BATCH_RECORDS: '500' })
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

function push(body: string | Buffer, headers: Record<string, string> = JSON_TYPE) {
  return call<PushAnswer>(service, '/push/batch', { body, headers })
}

/** A batch with this text as one record. */
function batchOf(dataset: string, ...records: string[]): string {
  return `{"source":"tests","dataset":"${dataset}","records":[${records.join(',')}]}`
}

function nested(depth: number): string {
  return `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`
}

describe('POST /push/batch', () => {
  it('takes the documented body and answers as documented', async () => {
    const answer = await push(`{
      "source": "erp_system",
      "records": [{
        "id": "rec_001",
        "data": {"name": "Product A", "price": 99.99},
        "metadata": {"updated_at": "2024-01-01T00:00:00Z"}
      }],
      "options": {"upsert": true, "validate": true, "transform": true}
    }`)
    expect(answer.status).toBe(200)
    const { request_id, accepted, rejected, errors, processing_time_ms, position, ...rest } = answer.body
    expect({ accepted, rejected, errors, rest }).toEqual({ accepted: 1, rejected: 0, errors: [], rest: {} })
    expect(request_id).toBe(answer.headers.get('x-request-id'))
    expect(Number.isInteger(processing_time_ms)).toBe(true)
    const [record] = await readRecords(service, 'erp_system', position)
    const expected = { id: 'rec_001', data: { name: 'Product A', price: 99.99 }, version: 1, position }
    expect(record).toEqual({ ...expected, updated_at: '2024-01-01T00:00:00Z' })
  })

  it('gives records back as they came: numbers, key order, unicode, __proto__', async () => {
    const data = [
      '{"big":9007199254740993,"huge":123456789012345678901234567890,"one":1.0,"exp":1E5,"tiny":1e-400,"minus":-0}',
      '{"z":1,"a":2,"10":3,"9":4,"m":{"b":1,"a":[2,{"y":1,"x":2}]}}',
      '{"text":"Ünïcödé 日本語 🎉 \\u00e9 \\ud83d\\ude00 \\" \\\\ \\/ \\n","empty":"","":"no name"}',
      '{"__proto__":{"admin":true},"constructor":{"prototype":null},"toString":1,"hasOwnProperty":2}',
      '{ "spaced" : [ 1 ,\t2 ,\n3 ] , "none" : null , "yes" : true , "obj" : { } }',
      '{}',
    ]
    const records = data.map((text, n) => `{"id":"row-${n}","data":${text}}`)
    const { body } = await push(batchOf('exact', ...records))
    const list = await call(service, `/datasets/exact/records?min_position=${body.position}`)
    for (const [n, text] of data.entries()) {
      expect(list.text).toContain(`{"id":"row-${n}","data":${text},`)
      expect((await call(service, `/datasets/exact/records/row-${n}`)).text).toContain(`"data":${text},`)
    }
    expect(list.headers.get('content-type')).toContain('application/json')
  })

  it('keeps ids of every kind apart', async () => {
    const ids = [
      'a/b',
      'a%2Fb',
      ' ',
      'ä',
      '日本語',
      '🎉',
      'a?b#c',
      '"',
      '\\',
      '__proto__',
      '0',
      '00',
      'A',
      'a',
      '..',
      '.',
    ]
    const { body } = await pushBatch(
      service,
      'ids',
      ids.map((id, n) => ({ id, data: { n } })),
    )
    const records = await readRecords(service, 'ids', body.position, 3)
    expect(new Map(records.map(({ id, data }) => [id, data.n]))).toEqual(new Map(ids.map((id, n) => [id, n])))
    for (const [n, id] of ids.entries()) {
      // fetch resolves dots in a path by itself, however they are written.
      if (id === '.' || id === '..') continue
      const one = await call<Item>(service, `/datasets/ids/records/${encodeURIComponent(id)}`)
      expect([one.status, one.body.data?.n]).toEqual([200, n])
    }
  })

  it('takes the same id twice in one batch as two versions, the later one last', async () => {
    const records = [1, 2, 2, 3].map(n => ({ id: 'same', data: { n } }))
    const { body } = await pushBatch(service, 'twice', records)
    expect([body.accepted, body.rejected]).toEqual([4, 0])
    const [record, ...others] = await readRecords(service, 'twice', body.position)
    expect(others).toEqual([])
    expect(record).toMatchObject({ id: 'same', data: { n: 3 }, version: 3 })
  })

  it('removes a record, and counts its versions on when it comes again', async () => {
    await pushBatch(service, 'gone', [
      { id: 'a', data: { n: 1 } },
      { id: 'b', data: { n: 1 } },
    ])
    const removed = await pushBatch(service, 'gone', [{ id: 'a', op: 'delete' }], { ack: 'projected' })
    expect((await call(service, '/datasets/gone/records/a')).status).toBe(404)
    expect((await readRecords(service, 'gone', removed.body.position)).map(({ id }) => id)).toEqual(['b'])
    const { body } = await call<{ records_count: number }>(service, '/datasets/gone')
    expect(body.records_count).toBe(1)
    await pushBatch(service, 'gone', [{ id: 'a', data: { n: 2 } }], { ack: 'projected' })
    const back = await call<Item>(service, '/datasets/gone/records/a')
    expect(back.body).toMatchObject({ data: { n: 2 }, version: 3 })
  })

  it('leaves an existing row when upsert is false', async () => {
    const first = [{ id: 'a', data: { n: 1 } }]
    await pushBatch(service, 'insert', first, { upsert: false })
    const second = [
      { id: 'a', data: { n: 2 } },
      { id: 'b', data: { n: 2 } },
    ]
    const { body } = await pushBatch(service, 'insert', second, { upsert: false })
    const rows = (await readRecords(service, 'insert', body.position)).map(({ id, data }) => [id, data.n])
    expect(rows).toEqual([
      ['a', 1],
      ['b', 2],
    ])
  })

  it('is in the read model when it answers to ack projected', async () => {
    for (let n = 0; n < 20; n++) {
      await pushBatch(service, 'ack', [{ id: 'a', data: { n } }], { ack: 'projected' })
      const { body } = await call<Item>(service, '/datasets/ack/records/a')
      expect(body.data).toEqual({ n })
    }
  })

  it('goes where record, body or query say, in this order', async () => {
    const records = '[{"id":"a","data":{}},{"id":"b","data":{},"dataset":"of-record"}]'
    const body = `{"source":"of-source","dataset":"of-body","records":${records},"options":{"ack":"projected"}}`
    await call(service, '/push/batch?dataset=of-query', { body, headers: JSON_TYPE })
    expect((await call(service, '/datasets/of-body/records/a')).status).toBe(200)
    expect((await call(service, '/datasets/of-record/records/b')).status).toBe(200)
    const plain = '{"records":[{"id":"c","data":{}}],"options":{"ack":"projected"}}'
    await call(service, '/push/batch?dataset=of-query', { body: plain, headers: JSON_TYPE })
    expect((await call(service, '/datasets/of-query/records/c')).status).toBe(200)
    expect((await call(service, '/datasets/of-source')).status).toBe(404)
  })
})

describe('rows that are wrong', () => {
  const wrong: [name: string, row: string, code: string, field: string | null][] = [
    ['no id', '{"data":{}}', 'MISSING_FIELD', 'id'],
    ['a number as id', '{"id":7,"data":{}}', 'INVALID_FIELD', 'id'],
    ['an empty id', '{"id":"","data":{}}', 'INVALID_FIELD', 'id'],
    ['an id of 513 bytes', `{"id":"${'x'.repeat(513)}","data":{}}`, 'INVALID_FIELD', 'id'],
    ['NUL in the id', '{"id":"a\\u0000b","data":{}}', 'INVALID_FIELD', 'id'],
    ['half a surrogate pair in the id', '{"id":"\\ud800","data":{}}', 'INVALID_FIELD', 'id'],
    ['no data', '{"id":"x"}', 'MISSING_FIELD', 'data'],
    ['data that is no object', '{"id":"x","data":[1]}', 'INVALID_FIELD', 'data'],
    ['data null', '{"id":"x","data":null}', 'INVALID_FIELD', 'data'],
    ['an unknown field', '{"id":"x","data":{},"colour":1}', 'UNKNOWN_FIELD', 'colour'],
    ['the field __proto__', '{"id":"x","data":{},"__proto__":{"op":"delete"}}', 'UNKNOWN_FIELD', '__proto__'],
    ['an unknown op', '{"id":"x","data":{},"op":"merge"}', 'INVALID_FIELD', 'op'],
    ['a wrong time', '{"id":"x","data":{},"metadata":{"updated_at":"today"}}', 'INVALID_FIELD', 'metadata.updated_at'],
    ['a wrong version', '{"id":"x","data":{},"metadata":{"version":-1}}', 'INVALID_FIELD', 'metadata.version'],
    ['unknown metadata', '{"id":"x","data":{},"metadata":{"by":"me"}}', 'UNKNOWN_FIELD', 'metadata.by'],
    ['a number', '7', 'INVALID_FIELD', null],
    ['null', 'null', 'INVALID_FIELD', null],
    ['an array', '[{"id":"x"}]', 'INVALID_FIELD', null],
    ['200 levels', `{"id":"x","data":${nested(200)}}`, 'TOO_DEEP', null],
  ]

  it('answer 207 with index, field and code, the good rows go in and the others to sync.rejected', async () => {
    const rows = wrong.flatMap(([, row], n) => [row, `{"id":"good-${n}","data":{"n":${n}}}`])
    const { status, body } = await push(batchOf('mixed', ...rows))
    expect(status).toBe(207)
    expect([body.accepted, body.rejected]).toEqual([wrong.length, wrong.length])
    for (const [n, [name, , code, field]] of wrong.entries()) {
      expect([name, body.errors[n]]).toEqual([name, expect.objectContaining({ index: n * 2, code, field })])
      expect(body.errors[n]).toMatchObject({ message: expect.stringMatching(/\S/), retryable: false })
    }
    expect(await readRecords(service, 'mixed', body.position)).toHaveLength(wrong.length)
    const kept = await rejectedRows(service, 'mixed')
    expect(
      kept.map(({ code, field, line, original }) => [line, code, field, Buffer.from(original).toString()]),
    ).toEqual(wrong.map(([, row, code, field], n) => [n * 2, code, field, row]))
    expect(new Set(kept.map(row => row.request_id))).toEqual(new Set([body.request_id]))
  })

  it('answer 400 when there is no good one, in the shape of an error', async () => {
    const { status, body } = await push(batchOf('none', '{"data":{}}', '{"id":1,"data":{}}'))
    expect([status, body.accepted, body.rejected]).toEqual([400, 0, 2])
    expect(body.error).toMatchObject({ code: 'VALIDATION_ERROR', request_id: body.request_id })
    expect(body.error!.details.map(({ field }) => field)).toEqual(['records.0.id', 'records.1.id'])
    expect((await call(service, `/datasets/none?min_position=${body.position}`)).status).toBe(404)
  })

  it('are all counted and kept, and 100 are shown', async () => {
    const rows = Array.from({ length: 150 }, (_, n) => `{"id":${n}}`)
    const { body } = await push(batchOf('many', ...rows, '{"id":"good","data":{}}'))
    expect([body.accepted, body.rejected, body.errors.length]).toEqual([1, 150, 100])
    expect(await rejectedRows(service, 'many')).toHaveLength(150)
  })
})

describe('bodies that are wrong', () => {
  const good = '{"id":"a","data":{}}'

  it.each([
    ['broken JSON', batchOf('b', good).slice(0, -1), 'JSON'],
    ['a broken record', batchOf('b', good, '{"id":"b","data":{}'), 'JSON'],
    ['more after the end', `${batchOf('b', good)} x`, 'end of the body'],
    ['nothing', '', 'empty'],
    ['white space', '  \n ', 'object'],
    ['an array', `[${good}]`, 'object'],
    ['no records', '{"source":"tests"}', 'records'],
    ['empty records', '{"source":"tests","records":[]}', 'records'],
    ['records that are no array', '{"records":{"id":"a"}}', 'records'],
    ['an unknown field', `{"source":"tests","rows":[],"records":[${good}]}`, 'rows'],
    ['__proto__', `{"source":"tests","__proto__":{},"records":[${good}]}`, '__proto__'],
    ['a number as source', `{"source":7,"records":[${good}]}`, 'source'],
    ['an empty data set', `{"source":"t","dataset":"","records":[${good}]}`, 'dataset'],
    ['an unknown option', `{"source":"t","records":[${good}],"options":{"fast":true}}`, 'options.fast'],
    ['an option of the wrong type', `{"source":"t","records":[${good}],"options":{"upsert":"yes"}}`, 'options.upsert'],
    ['__proto__ in options', `{"source":"t","records":[${good}],"options":{"__proto__":1}}`, 'options.__proto__'],
  ])('are refused as a whole: %s', async (_name, body, named) => {
    const answer = await push(body)
    expect([answer.status, answer.body.error?.code]).toEqual([400, 'VALIDATION_ERROR'])
    expect(answer.body.error!.message).toContain(named)
    expect(answer.body.error!.request_id).toBe(answer.headers.get('x-request-id'))
  })

  it('are 415 in another content type or encoding', async () => {
    const wrong: Record<string, string>[] = [
      {},
      { 'content-type': 'text/plain' },
      { ...JSON_TYPE, 'content-encoding': 'br' },
    ]
    for (const headers of wrong) {
      const answer = await push(batchOf('b', good), headers)
      expect([answer.status, answer.body.error?.code]).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE'])
    }
    expect((await push(batchOf('b', good), { 'content-type': 'Application/JSON; charset=utf-8' })).status).toBe(200)
  })

  it('are 413 when they are too large: declared, in chunks, unzipped, in records', async () => {
    const large = batchOf('b', `{"id":"a","data":{"t":"${'x'.repeat(MAX_BODY_BYTES)}"}}`)
    const declared = await push(large)
    expect([declared.status, declared.body.error?.code]).toEqual([413, 'PAYLOAD_TOO_LARGE'])
    expect((await push(gzipSync(large), { ...JSON_TYPE, 'content-encoding': 'gzip' })).status).toBe(413)
    expect((await push(batchOf('b', ...Array(501).fill(good)))).status).toBe(413)
    const raw = await openRaw(service)
    raw.write(head(service, 'POST /push/batch', { 'Content-Type': 'application/json', 'Transfer-Encoding': 'chunked' }))
    // It has been refused before it ends, and the connection is none the worse for it.
    for (let at = 0; at < large.length; at += 10_000) raw.chunk(large.slice(at, at + 10_000))
    await raw.untilReceived(/^HTTP\/1\.1 413[\s\S]*PAYLOAD_TOO_LARGE/)
    raw.chunk('')
    raw.write(head(service, 'GET /health'))
    await raw.untilReceived(/HTTP\/1\.1 200[\s\S]*"healthy"/)
    raw.end()
  })

  it('may come zipped', async () => {
    const zipped = gzipSync(batchOf('zipped', '{"id":"a","data":{"n":1}}'))
    const { status, body } = await push(zipped, { ...JSON_TYPE, 'content-encoding': 'gzip' })
    expect([status, body.accepted]).toEqual([200, 1])
    expect(await readRecords(service, 'zipped', body.position)).toHaveLength(1)
    const broken = await push(zipped.subarray(0, -12), { ...JSON_TYPE, 'content-encoding': 'gzip' })
    expect([broken.status, broken.body.error?.message]).toEqual([400, expect.stringContaining('gzip')])
  })
})
