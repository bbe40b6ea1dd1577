import { z } from 'zod'
import { compareNumbers } from '../../kernel/decimal.ts'
import { typeOf, unquoted } from '../../kernel/members.ts'
import { byField, transformation } from './transformation.ts'

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()])
const ordered = z.union([z.string(), z.number()])
const comparisons = z.strictObject({
  eq: scalar.optional(),
  ne: scalar.optional(),
  lt: ordered.optional(),
  lte: ordered.optional(),
  gt: ordered.optional(),
  gte: ordered.optional(),
  in: z.array(scalar).min(1).max(1000).optional(),
  exists: z.boolean().optional(),
})
type Comparisons = z.infer<typeof comparisons>

/** Whether a field's value, undefined when it is missing, is as wanted. */
type Test = (value: string | undefined) => boolean

export const filter = transformation({
  name: 'filter',
  summary:
    'Keeps the rows for which every condition of where holds and drops the others; with matching: drop the other way ' +
    'round. A condition is a value, or an object of eq, ne, lt, lte, gt, gte, in, exists. Numbers are compared exactly, ' +
    'texts by their characters, and values of different types are unequal; a missing field is like null.',
  can: { drop: true, refuse: false, remember: false },
  config: z.strictObject({
    where: byField(z.union([scalar, comparisons])),
    matching: z.enum(['keep', 'drop']).default('keep'),
  }),
  examples: [
    {
      about: 'what is kept is kept to the last digit',
      config: { where: { country: 'DE', amount: { gte: 10, lt: 100 } } },
      input: '{"country":"DE", "amount":10.00,"id":9007199254740993}',
      output: '{"country":"DE", "amount":10.00,"id":9007199254740993}',
    },
    { about: 'dropped', config: { where: { country: 'DE' } }, input: '{"country":"FR"}', output: null },
    {
      about: 'a number past 2^53 is not its neighbour',
      config: { where: { id: { gt: 9007199254740992 } } },
      input: '{"id":9007199254740993}',
      output: '{"id":9007199254740993}',
    },
    {
      about: 'a text is not a number',
      config: { where: { n: { gt: 1 } } },
      input: '{"n":"2"}',
      output: null,
    },
    {
      about: 'drops what matches',
      config: { where: { status: { in: ['deleted', null] } }, matching: 'drop' },
      input: '{"id":1}',
      output: null,
    },
    {
      about: 'being there, if only as null',
      config: { where: { note: { exists: true, ne: 'x' } } },
      input: '{"note":null}',
      output: '{"note":null}',
    },
  ],
  compile({ where, matching }) {
    const tests = Object.entries(where).map(([name, condition]) => [name, testOf(condition)] as const)
    const wanted = matching === 'keep'
    return () => row => (tests.every(([name, test]) => test(row.fields.get(name))) === wanted ? 'same' : 'dropped')
  },
})

function testOf(condition: Comparisons | z.infer<typeof scalar>): Test {
  if (typeof condition !== 'object' || condition === null) return equals(condition)
  const tests: Test[] = []
  const { eq, ne, lt, lte, gt, gte, in: among, exists } = condition
  if (eq !== undefined) tests.push(equals(eq))
  if (ne !== undefined) tests.push(not(equals(ne)))
  if (lt !== undefined) tests.push(order(lt, sign => sign < 0))
  if (lte !== undefined) tests.push(order(lte, sign => sign <= 0))
  if (gt !== undefined) tests.push(order(gt, sign => sign > 0))
  if (gte !== undefined) tests.push(order(gte, sign => sign >= 0))
  if (among !== undefined) {
    const any = among.map(equals)
    tests.push(value => any.some(test => test(value)))
  }
  if (exists !== undefined) tests.push(value => (value !== undefined) === exists)
  return value => tests.every(test => test(value))
}

function not(test: Test): Test {
  return value => !test(value)
}

function equals(wanted: z.infer<typeof scalar>): Test {
  if (typeof wanted === 'string' || typeof wanted === 'number') return order(wanted, sign => sign === 0)
  const text = JSON.stringify(wanted)
  return value => (value ?? 'null') === text
}

function order(than: string | number, holds: (sign: number) => boolean): Test {
  if (typeof than === 'string')
    return value => {
      if (value === undefined || typeOf(value) !== 'string') return false
      const text = unquoted(value)
      return holds(text === than ? 0 : text < than ? -1 : 1)
    }
  const number = String(than)
  return value => value !== undefined && typeOf(value) === 'number' && holds(compareNumbers(value, number))
}
