import { describe, expect, it } from 'vitest'
import { readBatch } from '../../src/edge/ingest/batch.ts'
import { DomainError } from '../../src/kernel/errors.ts'
import { randomJson, spelled } from '../kit/json.ts'
import { property } from '../kit/random.ts'

const MAX = 3

/** The batch, with the text of each record in place of where it stands. */
function read(text: string, maxRecords = MAX) {
  const bytes = Buffer.from(text)
  const { records, ...rest } = readBatch(bytes, maxRecords)
  return { ...rest, records: records.map(({ start, end }) => bytes.toString('utf8', start, end)) }
}

function failure(text: string): DomainError {
  try {
    read(text)
  } catch (error) {
    if (error instanceof DomainError) return error
    throw error
  }
  throw new Error(`${text} was taken`)
}

const DEFAULTS = {
  source: undefined,
  dataset: undefined,
  upsert: true,
  validate: true,
  transform: true,
  ack: 'durable',
}

describe('a batch', () => {
  it.each([
    ['{"records":[{"id":"1"}]}', { records: ['{"id":"1"}'] }],
    [' { "records" : [ {"id":"1"} , 2 ,null ] } \n', { records: ['{"id":"1"}', '2', 'null'] }],
    ['{"source":"till","dataset":"orders","records":[{}]}', { source: 'till', dataset: 'orders', records: ['{}'] }],
    ['{"records":[{}],"source":"ä\\u00e4","r\\u0065cords":[1]}', { source: 'ää', records: ['1'] }],
    ['{"records":[{}],"options":{}}', { records: ['{}'] }],
    [
      '{"options":{"upsert":false,"validate":true,"transform":false,"ack":"projected"},"records":[{}]}',
      { upsert: false, transform: false, ack: 'projected', records: ['{}'] },
    ],
    ['{"options":{"upsert":true,"ack":"durable"},"records":[{}]}', { records: ['{}'] }],
    ['{"records":[{"n":9007199254740993,"__proto__":1.0}]}', { records: ['{"n":9007199254740993,"__proto__":1.0}'] }],
  ])('%s', (text, wanted) => {
    expect(read(text)).toEqual({ ...DEFAULTS, ...wanted })
  })

  it('tells where each record stands, to the byte', () =>
    property(500, random => {
      const records = Array.from({ length: 1 + random.int(5) }, () => spelled(randomJson(random, 3), random))
      expect(read(`{"source":"ä😀","records":[ ${records.join(' ,\n')}\t]}`, 5).records).toEqual(records)
    }))

  it('may hold a record that is nested too deep: that one is for the intake to refuse', () => {
    const deep = '['.repeat(1500) + ']'.repeat(1500)
    expect(read(`{"records":[${deep},1]}`).records).toEqual([deep, '1'])
  })

  it('may have as many records as the limit, and is too large with one more', () => {
    expect(read('{"records":[1,2,3]}').records).toHaveLength(3)
    const error = failure('{"records":[1,2,3,4]}')
    expect(error.code).toBe('PAYLOAD_TOO_LARGE')
    expect(error.message).toMatch(/more than 3 in one batch/)
  })
})

describe('a body is refused', () => {
  it.each([
    ['', null, 'must be a JSON object'],
    ['[]', null, 'must be a JSON object'],
    ['null', null, 'must be a JSON object'],
    ['\ufeff{"records":[1]}', null, 'must be a JSON object'],
    ['{', null, 'the body is not JSON: expected a member name in double quotes, found the end of the text at byte 1'],
    ['{"records":[1]', null, 'the body is not JSON'],
    ['{"records":[1,]}', null, 'the body is not JSON: unexpected "]" where a value was expected at byte 14'],
    ['{"records":[1]} {}', null, 'the body is not JSON: expected the end of the body'],
    ['{"records":[1],"source":tru}', null, 'the body is not JSON'],
    ['{}', 'records', 'is missing'],
    ['{"source":"till"}', 'records', 'is missing'],
    ['{"records":[]}', 'records', 'is empty'],
    ['{"records":{}}', 'records', 'expected an array'],
    ['{"records":null}', 'records', 'expected an array'],
    ['{"records":"[]"}', 'records', 'expected an array'],
    ['{"records":[1],"source":1}', 'source', 'expected a string'],
    ['{"records":[1],"dataset":null}', 'dataset', 'expected a string'],
    ['{"records":[1],"record":[]}', 'record', 'not known'],
    ['{"records":[1],"__proto__":{}}', '__proto__', 'not known'],
    ['{"records":[1],"options":[]}', 'options', 'expected an object'],
    ['{"records":[1],"options":null}', 'options', 'expected an object'],
    ['{"records":[1],"options":"upsert"}', 'options', 'expected an object'],
    ['{"records":[1],"options":{"upsert":1}}', 'options.upsert', 'expected true or false'],
    ['{"records":[1],"options":{"validate":"true"}}', 'options.validate', 'expected true or false'],
    ['{"records":[1],"options":{"transform":null}}', 'options.transform', 'expected true or false'],
    ['{"records":[1],"options":{"ack":"memory"}}', 'options.ack', 'expected durable or projected'],
    ['{"records":[1],"options":{"ack":true}}', 'options.ack', 'expected durable or projected'],
    ['{"records":[1],"options":{"mode":1}}', 'options.mode', 'not known'],
    ['{"records":[1],"options":{"__proto__":1}}', 'options.__proto__', 'not known'],
  ])('%s', (text, field, message) => {
    const error = failure(text)
    expect(error.code).toBe('VALIDATION_ERROR')
    expect(error.details.map(detail => detail.field)).toEqual(field === null ? [] : [field])
    expect(error.message).toContain(message)
  })

  it('in few words, however long the name that is wrong', () => {
    expect(failure(`{"${'x'.repeat(10_000)}":1}`).message.length).toBeLessThan(300)
    expect(failure(`{"options":{"${'x'.repeat(10_000)}":1}}`).message.length).toBeLessThan(300)
  })

  it('never with anything but a DomainError', () =>
    property(2000, random => {
      const text = spelled(
        {
          members: [
            ['records', randomJson(random, 2)],
            ['options', randomJson(random, 2)],
          ],
        },
        random,
      )
      const at = random.int(text.length)
      try {
        read(text.slice(0, at) + random.pick([...'{}[],:"x1']) + text.slice(at + random.int(2)), 100)
      } catch (error) {
        expect(error).toBeInstanceOf(DomainError)
        expect((error as DomainError).code).toBe('VALIDATION_ERROR')
      }
    }))
})
