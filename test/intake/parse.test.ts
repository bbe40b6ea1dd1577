import { describe, expect, it } from 'vitest'
import { createRecordParser, RowRefused } from '../../src/intake/parse.ts'
import { randomJson, spelled } from '../kit/json.ts'
import { property } from '../kit/random.ts'

const MAX_DEPTH = 5
const parser = createRecordParser(MAX_DEPTH)

/** The record in a text that stands between other bytes; `data` is its text, undefined when there is none. */
function parse(text: string) {
  const bytes = Buffer.from(`{"id":"before"}\n${text}{"id":"after"}`)
  const start = bytes.indexOf(10) + 1
  const { dataStart, dataEnd, ...record } = parser.parse(bytes, start, start + Buffer.byteLength(text))
  return { ...record, data: dataEnd === 0 ? undefined : bytes.toString('utf8', dataStart, dataEnd) }
}

function refusal(text: string): RowRefused {
  try {
    parse(text)
  } catch (error) {
    if (error instanceof RowRefused) return error
    throw error
  }
  throw new Error(`${text} was taken`)
}

const NOTHING = { dataset: undefined, op: 'upsert', version: null, updatedAt: null, data: undefined }
const record = (more: string) => `{"id":"1","data":{},${more}}`
const metadata = (text: string) => record(`"metadata":${text}`)

describe('a record', () => {
  it.each([
    ['{"id":"1","data":{"a":1}}', { id: '1', data: '{"a":1}' }],
    [' {\t"data" : { "a" : 1.0 } , "id" : "1" }\r', { id: '1', data: '{ "a" : 1.0 }' }],
    ['{"id":"1","op":"delete"}', { id: '1', op: 'delete' }],
    ['{"id":"1","op":"delete","data":null}', { id: '1', op: 'delete', data: 'null' }],
    ['{"id":"1","op":"delete","data":{"a":1}}', { id: '1', op: 'delete', data: '{"a":1}' }],
    ['{"id":"1","op":"upsert","data":{},"dataset":"orders"}', { id: '1', data: '{}', dataset: 'orders' }],
    ['{"id":"ä 😀 \\u00e4\\n\\"/","data":{}}', { id: 'ä 😀 ä\n"/', data: '{}' }],
    ['{"\\u0069d":"1","d\\u0061ta":{}}', { id: '1', data: '{}' }],
    ['{"id":"1","id":"2","data":{"a":1},"data":{"a":2}}', { id: '2', data: '{"a":2}' }],
    [
      '{"id":"1","data":{"__proto__":1,"n":9007199254740993}}',
      { id: '1', data: '{"__proto__":1,"n":9007199254740993}' },
    ],
    [metadata('{}'), { id: '1', data: '{}' }],
    [metadata('{"version":null,"updated_at":null}'), { id: '1', data: '{}' }],
    [metadata('{"version":0}'), { id: '1', data: '{}', version: 0 }],
    [metadata('{"version":9007199254740991}'), { id: '1', data: '{}', version: 9007199254740991 }],
    [metadata('{"version":1,"version":2}'), { id: '1', data: '{}', version: 2 }],
  ])('%s', (text, wanted) => {
    expect(parse(text)).toEqual({ ...NOTHING, ...wanted })
  })

  it.each([
    '2026-01-02T03:04:05Z',
    '2026-01-02t03:04:05z',
    '2026-01-02T03:04:05.123456789Z',
    '2026-01-02T03:04:05+01:00',
    '2024-02-29T23:59:59-23:59',
    '0001-01-01T00:00:00Z',
    '9999-12-31T23:59:59Z',
  ])('of %s keeps that time as it was written', time => {
    expect(parse(metadata(`{"updated_at":"${time}"}`)).updatedAt).toBe(time)
  })

  it('takes nothing over from the one before', () => {
    parse('{"id":"1","op":"delete","dataset":"d","metadata":{"version":3,"updated_at":"2026-01-02T03:04:05Z"}}')
    expect(parse('{"id":"2","data":{}}')).toEqual({ ...NOTHING, id: '2', data: '{}' })
    expect(() => parse('{"id":"3"')).toThrow(RowRefused)
    expect(refusal('{"data":{}}')).toMatchObject({ recordId: null, row: { code: 'MISSING_FIELD', field: 'id' } })
  })

  it('has its data to the byte, however it is spelled', () =>
    property(1000, random => {
      const data = spelled({ members: [['x', randomJson(random, 2)]] }, random)
      expect(parse(`{"data":${data},"id":"1"}`).data).toBe(data)
    }))

  it('may have an id of 512 bytes and a data set of 200', () => {
    expect(parse(`{"id":"${'ä'.repeat(256)}","data":{}}`).id).toHaveLength(256)
    expect(parse(`{"id":"1","data":{},"dataset":"${'d'.repeat(200)}"}`).dataset).toHaveLength(200)
  })
})

describe('a row is refused', () => {
  it.each([
    ['INVALID_JSON', null, '{"id":"1","data":{}', '1'],
    ['INVALID_JSON', null, '{"id":"1","data":{},}', '1'],
    ['INVALID_JSON', null, '{"data":{}', null],
    ['INVALID_JSON', null, '{"id":"1","data":{}} x', '1'],
    ['INVALID_JSON', null, '{"id":"1","data":{}}{}', '1'],
    ['INVALID_JSON', null, '{"id":"1","data":{"n":01}}', '1'],
    ['INVALID_JSON', null, "{'id':1}", null],
    ['INVALID_JSON', null, '\ufeff{"id":"1","data":{}}', null],
    ['INVALID_JSON', null, '', null],
    ['INVALID_JSON', null, 'hello', null],
    ['TOO_DEEP', null, '{"id":"1","data":{"a":[[[[1]]]]}}', '1'],
    ['TOO_DEEP', null, '[[[[[[]]]]]]', null],
    ['MISSING_FIELD', 'id', '{}', null],
    ['MISSING_FIELD', 'id', '{"data":{}}', null],
    ['MISSING_FIELD', 'data', '{"id":"1"}', '1'],
    ['MISSING_FIELD', 'data', '{"id":"1","op":"upsert"}', '1'],
    ['MISSING_FIELD', 'id', '{"op":"delete"}', null],
    ['INVALID_FIELD', null, '[]', null],
    ['INVALID_FIELD', null, '"text"', null],
    ['INVALID_FIELD', null, '1', null],
    ['INVALID_FIELD', null, 'null', null],
    ['INVALID_FIELD', 'id', '{"id":1,"data":{}}', null],
    ['INVALID_FIELD', 'id', '{"id":null,"data":{}}', null],
    ['INVALID_FIELD', 'id', '{"id":"","data":{}}', null],
    ['INVALID_FIELD', 'id', '{"id":"a\\u0000b","data":{}}', null],
    ['INVALID_FIELD', 'id', '{"id":"\\ud800","data":{}}', null],
    ['INVALID_FIELD', 'id', `{"id":"${'ä'.repeat(257)}","data":{}}`, null],
    ['INVALID_FIELD', 'dataset', record('"dataset":""'), '1'],
    ['INVALID_FIELD', 'dataset', record('"dataset":["a"]'), '1'],
    ['INVALID_FIELD', 'dataset', record(`"dataset":"${'d'.repeat(201)}"`), '1'],
    ['INVALID_FIELD', 'op', record('"op":"insert"'), '1'],
    ['INVALID_FIELD', 'op', record('"op":null'), '1'],
    ['INVALID_FIELD', 'data', '{"id":"1","data":null}', '1'],
    ['INVALID_FIELD', 'data', '{"id":"1","data":[]}', '1'],
    ['INVALID_FIELD', 'data', '{"id":"1","data":"{}"}', '1'],
    ['INVALID_FIELD', 'data', '{"id":"1","op":"delete","data":1}', '1'],
    ['INVALID_FIELD', 'metadata', metadata('1'), '1'],
    ['INVALID_FIELD', 'metadata', metadata('[]'), '1'],
    ['INVALID_FIELD', 'metadata.version', metadata('{"version":-1}'), '1'],
    ['INVALID_FIELD', 'metadata.version', metadata('{"version":1.5}'), '1'],
    ['INVALID_FIELD', 'metadata.version', metadata('{"version":"1"}'), '1'],
    ['INVALID_FIELD', 'metadata.version', metadata('{"version":true}'), '1'],
    ['INVALID_FIELD', 'metadata.version', metadata('{"version":9007199254740992}'), '1'],
    ['INVALID_FIELD', 'metadata.updated_at', metadata('{"updated_at":1767323045}'), '1'],
    ['INVALID_FIELD', 'metadata.updated_at', metadata('{"updated_at":"yesterday"}'), '1'],
    ['INVALID_FIELD', 'metadata.updated_at', metadata('{"updated_at":"2026-01-02"}'), '1'],
    ['INVALID_FIELD', 'metadata.updated_at', metadata('{"updated_at":"2026-01-02T03:04:05"}'), '1'],
    ['INVALID_FIELD', 'metadata.updated_at', metadata('{"updated_at":"2026-13-02T03:04:05Z"}'), '1'],
    ['INVALID_FIELD', 'metadata.updated_at', metadata('{"updated_at":"2026-02-30T03:04:05Z"}'), '1'],
    ['INVALID_FIELD', 'metadata.updated_at', metadata('{"updated_at":"2025-02-29T03:04:05Z"}'), '1'],
    ['INVALID_FIELD', 'metadata.updated_at', metadata('{"updated_at":"2026-01-02T24:00:00Z"}'), '1'],
    ['UNKNOWN_FIELD', 'datas', record('"datas":1'), '1'],
    ['UNKNOWN_FIELD', '__proto__', record('"__proto__":1'), '1'],
    ['UNKNOWN_FIELD', 'metadata.etag', metadata('{"etag":1}'), '1'],
    ['UNKNOWN_FIELD', 'x'.repeat(100), record(`"${'x'.repeat(1000)}":1`), '1'],
  ] as const)('as %s at %s: %s', (code, field, text, recordId) => {
    const { row, recordId: told } = refusal(text)
    expect({ code: row.code, field: row.field, recordId: told }).toEqual({ code, field, recordId })
    expect(row.message.length).toBeGreaterThan(5)
    expect(row.message.length).toBeLessThan(400)
    if (field !== null) expect(row.message.startsWith(`${field}: `)).toBe(true)
  })

  it('with the byte of its own line at which it goes wrong', () => {
    expect(refusal('{"id":"1","data":}').row.message).toBe('unexpected "}" where a value was expected at byte 17')
    expect(refusal('{"id":"1"} x').row.message).toMatch(/at byte 1\d$/)
  })

  it('with the depth that is allowed', () => {
    expect(parse('{"id":"1","data":{"a":[[[1]]]}}').data).toBe('{"a":[[[1]]]}')
    expect(refusal('{"id":"1","data":{"a":[[[[1]]]]}}').row.message).toBe('nested deeper than 5 levels')
    expect(refusal(metadata('{"etag":[[[[1]]]]}')).row.code).toBe('TOO_DEEP')
  })
})
