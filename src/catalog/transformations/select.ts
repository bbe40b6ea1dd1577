import { z } from 'zod'
import { fieldNames, transformation } from './transformation.ts'

export const select = transformation({
  name: 'select',
  summary: 'Keeps only the fields named; those that a row does not have are no error.',
  can: { drop: false, refuse: false, remember: false },
  config: z.strictObject({ fields: fieldNames }),
  examples: [
    {
      about: 'in the order of the row',
      config: { fields: ['price', 'id', 'missing'] },
      input: '{"id":9007199254740993,"note":"x","price":1.10}',
      output: '{"id":9007199254740993,"price":1.10}',
    },
    { about: 'none of them is there', config: { fields: ['id'] }, input: '{"note":"x"}', output: '{}' },
  ],
  compile({ fields }) {
    const wanted = new Set(fields)
    return () => row => {
      const before = row.fields.size
      for (const name of row.fields.keys()) if (!wanted.has(name)) row.fields.delete(name)
      return row.fields.size === before ? 'same' : 'changed'
    }
  },
})
