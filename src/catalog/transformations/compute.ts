import { z } from 'zod'
import { DomainError, invalid } from '../../kernel/errors.ts'
import { compileExpression } from '../expressions/expression.ts'
import { fieldName, transformation } from './transformation.ts'

/** Rows over the limit after which a run evaluates no more: each of them may have taken its full time. */
const MAX_OVER_LIMIT = 3

export const compute = transformation({
  name: 'compute',
  summary:
    'Sets a field to the result of a JSONata expression on the row; an expression without a result leaves the field as ' +
    'it is. Numbers are reckoned with as doubles: a row whose field has more digits than they hold is refused.',
  can: { drop: false, refuse: true, remember: true },
  config: z.strictObject({ field: fieldName, expression: z.string().min(1) }),
  examples: [
    {
      about: 'arithmetic; other fields keep their digits',
      config: { field: 'total', expression: '$round(price * quantity, 2)' },
      input: '{"id":9007199254740993,"price":19.90,"quantity":3}',
      output: '{"id":9007199254740993,"price":19.90,"quantity":3,"total":59.7}',
    },
    {
      about: 'into lists and objects',
      config: { field: 'summary', expression: '{"sum": $sum(items.(price * n)), "names": [items.name]}' },
      input: '{"items":[{"name":"a","price":2,"n":3},{"name":"b","price":0.5,"n":2}]}',
      output:
        '{"items":[{"name":"a","price":2,"n":3},{"name":"b","price":0.5,"n":2}],"summary":{"sum":7,"names":["a","b"]}}',
    },
    {
      about: 'text and patterns, in place of what was there',
      config: { field: 'phone', expression: '$replace(phone, /[^0-9]+/, "")' },
      input: '{"phone":"+49 (731) 123-45","n":1.0}',
      output: '{"phone":"4973112345","n":1.0}',
    },
    {
      about: 'no result changes nothing',
      config: { field: 'city', expression: 'address.city' },
      input: '{"city":"Ulm","n":1.0}',
      output: '{"city":"Ulm","n":1.0}',
    },
    {
      about: 'what fails on this row',
      config: { field: 'total', expression: 'price * 2' },
      input: '{"price":"2"}',
      output: { refused: 'COMPUTE_FAILED', field: 'total' },
    },
    {
      about: 'digits that would be rounded',
      config: { field: 'next', expression: 'id + 1' },
      input: '{"id":9007199254740993}',
      output: { refused: 'INEXACT_NUMBER', field: 'id' },
    },
    {
      about: 'what never ends',
      config: { field: 'x', expression: '($f := function($n) { $f($n + 1) }; $f(1))' },
      input: '{}',
      output: { refused: 'COMPUTE_LIMIT', field: 'x' },
    },
  ],
  compile({ field, expression }, { computeMs }) {
    const evaluate = compiled(expression, computeMs)
    return () => {
      let overLimit = 0
      return row => {
        if (overLimit >= MAX_OVER_LIMIT) {
          const message = `${field}: the expression went over its limits on ${MAX_OVER_LIMIT} rows before`
          return { code: 'COMPUTE_LIMIT', field, message }
        }
        const result = evaluate(row.fields)
        if ('json' in result) {
          row.fields.set(field, result.json)
          return 'changed'
        }
        if ('nothing' in result) return 'same'
        if ('inexact' in result) {
          const message = `${result.inexact}: it has more digits than the expression can reckon with; cast it to string first`
          return { code: 'INEXACT_NUMBER', field: result.inexact, message }
        }
        if (result.limit) overLimit++
        const code = result.limit ? 'COMPUTE_LIMIT' : 'COMPUTE_FAILED'
        return { code, field, message: `${field}: ${result.failed}` }
      }
    }
  },
})

function compiled(expression: string, computeMs: number) {
  try {
    return compileExpression(expression, computeMs)
  } catch (error) {
    throw error instanceof DomainError ? invalid('expression', error.message) : error
  }
}
