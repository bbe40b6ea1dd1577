import { z } from 'zod'
import { byField, fieldName, transformation } from './transformation.ts'

const config = z
  .strictObject({
    /** Old name to new name. */
    fields: byField(fieldName).optional(),
    /** How all other names are written. */
    case: z.enum(['snake', 'camel', 'lower', 'upper']).optional(),
    prefix: fieldName.optional(),
    suffix: fieldName.optional(),
  })
  .refine(({ fields, ...rules }) => fields ?? Object.keys(rules).length > 0, 'expected fields, case, prefix or suffix')

/** Names seen are remembered, so that rows of one shape cost a look-up a field; past this they are worked out anew. */
const MAX_REMEMBERED = 10_000

export const rename = transformation({
  name: 'rename',
  summary:
    'Renames fields that are there: those of fields by name, all others by case (snake, camel, lower, upper), prefix ' +
    'and suffix. A row in which two fields would get one name is refused.',
  can: { drop: false, refuse: true, remember: false },
  config,
  examples: [
    {
      about: 'by name; a field that is not there is no error',
      config: { fields: { old: 'new', gone: 'x' } },
      input: '{"a":1.0,"old":[1, 2]}',
      output: '{"a":1.0,"new":[1, 2]}',
    },
    {
      about: 'by rule',
      config: { case: 'snake', prefix: 'crm_' },
      input: '{"customerId":1,"Full Name":"Ann","HTTPStatus":200,"a-b":0}',
      output: '{"crm_customer_id":1,"crm_full_name":"Ann","crm_http_status":200,"crm_a_b":0}',
    },
    {
      about: 'a name given outright is not written otherwise',
      config: { fields: { ID: 'Key' }, case: 'camel' },
      input: '{"ID":1,"first_name":"Ann"}',
      output: '{"Key":1,"firstName":"Ann"}',
    },
    {
      about: 'two fields with one name would lose a value',
      config: { case: 'snake' },
      input: '{"userId":1,"user_id":2}',
      output: { refused: 'FIELD_EXISTS', field: 'user_id' },
    },
  ],
  compile({ fields, case: style, prefix = '', suffix = '' }) {
    const names = new Map(Object.entries(fields ?? {}))
    const renamed = (name: string): string => {
      const known = names.get(name)
      if (known !== undefined) return known
      const made = `${prefix}${written(name, style)}${suffix}`
      if (names.size < MAX_REMEMBERED) names.set(name, made)
      return made
    }
    return () => row => {
      const next = new Map<string, string>()
      let changed = false
      for (const [name, value] of row.fields) {
        const target = renamed(name)
        if (next.has(target))
          return {
            code: 'FIELD_EXISTS',
            field: name,
            message: `${name} would become ${target}, which is there already`,
          }
        if (target !== name) changed = true
        next.set(target, value)
      }
      row.fields = next
      return changed ? 'changed' : 'same'
    }
  },
})

function written(name: string, style: z.infer<typeof config>['case']): string {
  if (style === 'lower') return name.toLowerCase()
  if (style === 'upper') return name.toUpperCase()
  if (style === undefined) return name
  const words = name
    .replace(/(\p{Ll}|\d)(\p{Lu})/gu, '$1 $2')
    .replace(/(\p{Lu})(\p{Lu}\p{Ll})/gu, '$1 $2')
    .split(/[^\p{L}\p{N}]+/u)
    .filter(Boolean)
    .map(word => word.toLowerCase())
  if (words.length === 0) return name
  if (style === 'snake') return words.join('_')
  return words.map((word, i) => (i === 0 ? word : word[0]!.toUpperCase() + word.slice(1))).join('')
}
