import { z } from 'zod'
import { elementsOf, membersOf, typeOf } from '../../kernel/members.ts'
import { fieldNames, type Refusal, transformation } from './transformation.ts'

const MAX_LEVELS = 100

export const flatten = transformation({
  name: 'flatten',
  summary:
    'Puts the fields of nested objects beside the others, their names joined by separator (.); all objects, or those of ' +
    'fields, to max_levels. With arrays: index also arrays, by number. Empty objects stay. A row in which two fields ' +
    'would get one name is refused.',
  can: { drop: false, refuse: true, remember: false },
  config: z.strictObject({
    fields: fieldNames.optional(),
    separator: z.string().min(1).max(20).default('.'),
    arrays: z.enum(['keep', 'index']).default('keep'),
    max_levels: z.int().min(1).max(MAX_LEVELS).default(MAX_LEVELS),
  }),
  examples: [
    {
      about: 'in place, values as they are',
      config: {},
      input: '{"id":1,"address":{"city":"Ulm","geo":{"lat":48.40,"none":{}}},"tags":[1, 2]}',
      output: '{"id":1,"address.city":"Ulm","address.geo.lat":48.40,"address.geo.none":{},"tags":[1, 2]}',
    },
    {
      about: 'some fields, some levels, arrays too',
      config: { fields: ['a', 'list'], separator: '_', arrays: 'index', max_levels: 1 },
      input: '{"a":{"b":{"c":1}},"list":[{"x":1},9007199254740993],"other":{"y":1}}',
      output: '{"a_b":{"c":1},"list_0":{"x":1},"list_1":9007199254740993,"other":{"y":1}}',
    },
    {
      about: 'two fields with one name would lose a value',
      config: {},
      input: '{"a":{"b":1},"a.b":2}',
      output: { refused: 'FIELD_EXISTS', field: 'a.b' },
    },
  ],
  compile({ fields, separator, arrays, max_levels }, { rowLength }) {
    const chosen = fields && new Set(fields)
    return () => row => {
      const flat = new Map<string, string>()
      let length = 0
      let refusal: Refusal | undefined
      let changed = false

      function put(name: string, value: string, levels: number): void {
        if (refusal) return
        const parts = levels > 0 ? partsOf(value, arrays) : undefined
        if (parts) {
          changed = true
          for (const [part, inner] of parts) put(`${name}${separator}${part}`, inner, levels - 1)
          return
        }
        // Long names of objects, repeated for everything in them, could make a huge row of a small one.
        length += name.length + value.length
        if (length > rowLength)
          refusal = { code: 'TOO_LONG', field: null, message: `the flat row is longer than ${rowLength} characters` }
        else if (flat.has(name))
          refusal = { code: 'FIELD_EXISTS', field: name, message: `there are two fields ${name}` }
        else flat.set(name, value)
      }

      for (const [name, value] of row.fields) put(name, value, !chosen || chosen.has(name) ? max_levels : 0)
      if (refusal) return refusal
      row.fields = flat
      return changed ? 'changed' : 'same'
    }
  },
})

/** What an object or array that is taken apart has in it; undefined for a value that stays. */
function partsOf(value: string, arrays: 'keep' | 'index'): Iterable<[string | number, string]> | undefined {
  const type = typeOf(value)
  if (type === 'object') {
    const members = membersOf(value)
    return members.size > 0 ? members : undefined
  }
  if (type !== 'array' || arrays === 'keep') return undefined
  const elements = elementsOf(value)
  return elements.length > 0 ? elements.entries() : undefined
}
