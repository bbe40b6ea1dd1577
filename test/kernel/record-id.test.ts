import { expect, it } from 'vitest'
import { idOf, pointerTo, textAt } from '../../src/kernel/record-id.ts'

const ROW = '{"a":1.50,"b/c":{"~d":[true,{"e":"é\\u0041"}]},"":"x","a":2e400,"n":null,"t":""}'

it.each([
  ['', ROW, undefined],
  ['/a', '2e400', '2e400'],
  ['/b~1c/~0d/1/e', '"é\\u0041"', 'éA'],
  ['/b~1c/~0d/0', 'true', undefined],
  ['/b~1c/~0d/01', undefined, undefined],
  ['/b~1c/~0d/-', undefined, undefined],
  ['/b~1c/~0d/2/e', undefined, undefined],
  ['/', '"x"', 'x'],
  ['/n', 'null', undefined],
  ['/t', '""', undefined],
  ['/t/x', undefined, undefined],
  ['/nowhere/x', undefined, undefined],
  ['/constructor', undefined, undefined],
])('at %j a row has %j, as an id %j', (pointer, text, id) => {
  expect(textAt(ROW, pointer)).toBe(text)
  expect(idOf(textAt(ROW, pointer))).toBe(id)
})

it.each(['a', '', 'a/b~1', '~0/~'])('the pointer to the field %j leads there', field => {
  expect(textAt(JSON.stringify({ x: 0, [field]: 7 }), pointerTo(field))).toBe('7')
})
