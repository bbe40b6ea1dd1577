import { describe, expect, it } from 'vitest'
import { idAt } from '../../../src/edge/webhooks/pointer.ts'
import { JsonError } from '../../../src/kernel/json.ts'

const BODY = ` {"id":"evt_1","data":{"object":{"id":12345678901234567890},"list":[{"id":"a"},{"id":"b"},[7]]},
  "a/b":1,"m~n":2,"~1":3,"":4,"\\u00e4":"umlaut","ä 😀":{"":"deep"},"0":"zero","twice":"first","twice":"last",
  "text":"line\\nbreak \\u0000 \\ud83d\\ude00","empty":"","minus":-5,"one":1.0,"large":1e3,"half":0.5,"huge":1e400,"nought":-0,
  "yes":true,"no":null,"__proto__":{"x":"own"}} `
const at = (pointer: string, body = BODY) => idAt(Buffer.from(body), pointer, 10)

describe('an id at a JSON pointer', () => {
  it.each([
    ['/id', 'evt_1'],
    ['/data/object/id', '12345678901234567890'],
    ['/data/list/0/id', 'a'],
    ['/data/list/1/id', 'b'],
    ['/data/list/2/0', '7'],
    ['/a~1b', '1'],
    ['/m~0n', '2'],
    ['/~01', '3'],
    ['/', '4'],
    ['/ä', 'umlaut'],
    ['/ä 😀/', 'deep'],
    ['/0', 'zero'],
    ['/twice', 'last'],
    ['/text', 'line\nbreak \0 😀'],
    ['/empty', ''],
    ['/minus', '-5'],
    ['/one', '1'],
    ['/large', '1000'],
    ['/nought', '0'],
    ['/__proto__/x', 'own'],
  ])('%s is %j', (pointer, id) => expect(at(pointer)).toBe(id))

  it.each([
    ...['/nobody', '/id/0', '/data', '/data/list', '/data/list/3', '/data/list/-', '/data/list/01', '/data/list/1.0'],
    ...[
      '/data/list/length',
      '/data/list/2/00',
      '/data/list/2/0.0',
      '/half',
      '/huge',
      '/yes',
      '/no',
      '/no/x',
      '/toString',
      '/__proto__/toString',
      '/a/b',
    ],
  ])('there is none at %s', pointer => expect(at(pointer)).toBeUndefined())

  it('there is none in a body that is no object or array', () => {
    for (const body of ['"id"', '1', 'null']) expect(at('/id', body)).toBeUndefined()
    expect(at('/1', '["a","b"]')).toBe('b')
  })

  it('what is no JSON is a JsonError, as is what is nested too deep', () => {
    for (const body of ['{"id":"a"', '{"id":}', '{', `{"id":${'['.repeat(20)}${']'.repeat(20)}}`]) {
      expect(() => at('/id', body)).toThrow(JsonError)
    }
  })
})
