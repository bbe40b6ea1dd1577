import { z } from 'zod'
import { byField, fieldName, transformation } from './transformation.ts'

const config = z.strictObject({
  /** Source field to target field. */
  mappings: byField(fieldName).refine(
    mappings => new Set(Object.values(mappings)).size === Object.keys(mappings).length,
    'two source fields are mapped to one target field',
  ),
  missing: z.enum(['refuse', 'ignore']).default('refuse'),
  unmapped: z.enum(['keep', 'drop']).default('keep'),
})

export const fieldMapping = transformation({
  name: 'field_mapping',
  summary:
    'Gives fields other names, all at once: {"customer_id": "id"} makes customer_id the field id, in place of any id ' +
    'there was. A row without a mapped field is refused unless missing is ignore; other fields stay unless unmapped is drop.',
  can: { drop: false, refuse: true, remember: false },
  config,
  examples: [
    {
      about: 'other fields, digits and the order stay',
      config: { mappings: { customer_id: 'id', customer_name: 'name' } },
      input: '{"customer_id":9007199254740993,"customer_name":"Ann","price":1.10,"__proto__":{}}',
      output: '{"id":9007199254740993,"name":"Ann","price":1.10,"__proto__":{}}',
    },
    {
      about: 'names may be swapped',
      config: { mappings: { a: 'b', b: 'a' } },
      input: '{"a":1,"b":2}',
      output: '{"b":1,"a":2}',
    },
    {
      about: 'a target that is there is replaced',
      config: { mappings: { customer_id: 'id' } },
      input: '{"x":1,"customer_id":7,"n":1.0,"id":1}',
      output: '{"x":1,"id":7,"n":1.0}',
    },
    {
      about: 'only mapped fields, if wanted',
      config: { mappings: { customer_id: 'id' }, unmapped: 'drop' },
      input: '{"customer_id":7,"note":"x"}',
      output: '{"id":7}',
    },
    {
      about: 'a mapped field that is not there is an error',
      config: { mappings: { customer_id: 'id' } },
      input: '{"name":"Ann"}',
      output: { refused: 'MISSING_FIELD', field: 'customer_id' },
    },
    {
      about: 'unless it may be missing; a target is then left alone',
      config: { mappings: { customer_id: 'id' }, missing: 'ignore' },
      input: '{"name":"Ann","id":3}',
      output: '{"name":"Ann","id":3}',
    },
  ],
  compile({ mappings, missing, unmapped }) {
    const targets = new Map(Object.entries(mappings))
    return () => row => {
      const taken = new Set<string>()
      for (const [source, target] of targets) {
        if (row.fields.has(source)) taken.add(target)
        else if (missing === 'refuse')
          return { code: 'MISSING_FIELD', field: source, message: `the row has no field ${source}` }
      }
      const fields = new Map<string, string>()
      for (const [name, value] of row.fields) {
        const target = targets.get(name)
        if (target !== undefined) fields.set(target, value)
        else if (unmapped === 'keep' && !taken.has(name)) fields.set(name, value)
      }
      row.fields = fields
      return 'changed'
    }
  },
})
