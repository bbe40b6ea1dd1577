import { describe, expect, it } from 'vitest'
import { compileExpression } from '../../../src/catalog/expressions/expression.ts'
import { currentRealm } from '../../../src/catalog/expressions/realm.ts'
import { membersOf } from '../../../src/kernel/members.ts'

const BIG = '9007199254740993'

function evaluate(expression: string, row: string) {
  return compileExpression(expression, 10_000)(membersOf(row))
}

describe('an expression', () => {
  it.each([
    ['a.b[0] & "!"', '{"a":{"b":["x"]}}', '"x!"'],
    ['$uppercase(a)', '{"a":"ä"}', '"Ä"'],
    ['[a, b]', '{"a":1,"b":null}', '[1,null]'],
    ['$base64decode($base64encode(a))', '{"a":"plain"}', '"plain"'],
    ['$pad(a, 5) & "|" & $pad(a, -5, "12")', '{"a":"😀"}', '"😀    |1212😀"'],
    ['$join(a, "-") & $join(a)', '{"a":["x","y"]}', '"x-yxy"'],
    ['$sort(a)', '{"a":[3,1,2]}', '[1,2,3]'],
    ['$distinct(a)', '{"a":[1,1,2]}', '[1,2]'],
    ['$toMillis(a, "[Y]-[M]-[D]")', '{"a":"2024-01-01"}', '1704067200000'],
    ['$match(a, /(\\d+)-(\\d+)/)[0].groups', '{"a":"x 12-34"}', '["12","34"]'],
    ['$split(a, /[,;] ?/)', '{"a":"x, y;z"}', '["x","y","z"]'],
    ['a[n > 1].n', '{"a":[{"n":1},{"n":2},{"n":3}]}', '[2,3]'],
    ['$map(a, function($v) { $v * 2 })', '{"a":[1,2]}', '[2,4]'],
    ['items^(>n).n', '{"items":[{"n":1},{"n":3},{"n":2}]}', '[3,2,1]'],
    ['$keys($)', '{"a":1,"b":2}', '["a","b"]'],
    ['*', '{"a":1,"b":2}', '[1,2]'],
    ['$$.a + $.b', '{"a":1,"b":2}', '3'],
    ['$string()', '{"a":1}', '"{\\"a\\":1}"'],
  ])('%s of %s is %s', (expression, row, json) => {
    expect(evaluate(expression, row)).toEqual({ json })
  })

  it.each(['a', 'a.b', 'nothing[0]', '$lookup($pad, "implementation")', '$$.constructor', 'a.__proto__'])(
    '%s has no result',
    expression => {
      expect(evaluate(expression, '{"x":1}')).toEqual({ nothing: true })
    },
  )

  it('is told a field whose digits it would round, if it names it', () => {
    const row = `{"id":${BIG},"n":{"deep":[1e400]},"price":2}`
    expect(evaluate('id + 1', row)).toEqual({ inexact: 'id' })
    expect(evaluate('$$.n.deep', row)).toEqual({ inexact: 'n' })
    expect(evaluate('price * 2', row)).toEqual({ json: '4' })
    expect(evaluate('$.price * 2', row)).toEqual({ json: '4' })
  })

  it('that looks at the whole row sees such numbers as text, not rounded', () => {
    expect(evaluate('$string($)', `{"id":${BIG},"n":1.5}`)).toEqual({ json: `"{\\"id\\":\\"${BIG}\\",\\"n\\":1.5}"` })
    expect(evaluate('*', `{"id":${BIG}}`)).toEqual({ json: `"${BIG}"` })
  })

  it.each([
    ['1/0', /number Infinity/],
    ['[1/0]', /number Infinity/],
    ['function($x) { $x }', /function/],
    ['{"a": $sum}', /function/],
    ['$error("no")', /^no$/],
    ['"x" * 2', /left side/],
    ['$pad.constructor("return process")()', /non-function/],
  ])('%s fails on the row', (expression, failed) => {
    expect(evaluate(expression, '{}')).toEqual({ failed: expect.stringMatching(failed), limit: false })
  })

  it.each([
    ['1 +', /cannot be read at character \d+/],
    ['$eval("1")', /\$eval/],
    ['($e := $eval; $e("1"))', /\$eval/],
    ['$match(a, /(?=x)/)', /look-around/],
    ['$match(a, /(x)\\1/)', /back-references/],
    [`${'('.repeat(1900)}1${')'.repeat(1900)}`, /nested too deep|cannot be read/],
    ['a'.repeat(5000), /longer than 4000/],
  ])('%s is refused', (expression, message) => {
    expect(() => compileExpression(expression, 2000)).toThrow(message)
  })
})

describe('an expression that wants too much', () => {
  const row = JSON.stringify({
    text: 'a'.repeat(200_000),
    words: 'ab '.repeat(20_000),
    numbers: Array.from({ length: 20_000 }, (_, i) => (i * 7919) % 20_011),
  })

  it.each([
    // without an end
    '($f := function($n) { $f($n) }; $f(1))',
    '($f := function($n) { 1 + $f($n) }; $f(1))',
    '(function($x) { $x($x) })(function($x) { $x($x) })',
    '$$.numbers.($$.numbers.($$.numbers.(1)))',
    '$map([1..3000], function($i) { $map([1..3000], function($j) { 1 }) })',
    // much memory
    '$pad("", 1000000000)',
    '$pad("", 9000000)',
    '$reduce([1..60], function($a, $i) { $a & $a }, "xxxxxxxxxx")',
    '$reduce([1..60], function($a, $i) { {"a": $a, "b": $a} }, {"x": 1})',
    '$reduce([1..60], function($a, $i) { $append($a, $a) }, [1, 2])',
    '$map([1..10000], function($i) { $pad("x", 1000000) })',
    '$replace(words, "a", text)',
    '$join($split(words, " "), text)',
    '[1..10000000]',
    // much work within one step
    '$match(text, /a(.*b)?/)',
    'numbers^($)',
  ])('is stopped: %s', expression => {
    expect(evaluate(expression, row)).toEqual({ failed: expect.any(String), limit: true })
  })

  it('is stopped before the library makes the text it would join', () => {
    const result = evaluate('$join($split(words, " "), text)', row)
    expect(result).toEqual({ failed: expect.stringMatching(/^it wants a value larger than/), limit: true })
  })

  it('within one step of the library is stopped by the clock, and the next one runs', () => {
    const fields = membersOf(JSON.stringify({ n: Array.from({ length: 60_000 }, (_, i) => (i * 7919) % 60_013) }))
    const harmless = compileExpression('$count(n)', 10_000)
    const realm = currentRealm()
    expect(compileExpression('$sort(n)', 200)(fields)).toEqual({ failed: 'it took more than 200 ms', limit: true })
    // What was cut off may have left anything behind.
    expect(currentRealm()).not.toBe(realm)
    expect(harmless(fields)).toEqual({ json: '60000' })
    expect(compileExpression('$sort(n)', 10_000)(membersOf('{"n":[2,1]}'))).toEqual({ json: '[1,2]' })
  })
})
