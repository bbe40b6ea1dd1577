import { z } from 'zod'
import { fieldNames, transformation } from './transformation.ts'

export const drop = transformation({
  name: 'drop',
  summary: 'Removes the fields named; those that a row does not have are no error.',
  can: { drop: false, refuse: false, remember: false },
  config: z.strictObject({ fields: fieldNames }),
  examples: [
    {
      about: 'the others stay as they are',
      config: { fields: ['note', 'missing'] },
      input: '{"id":9007199254740993,"note":"x","price":1.10}',
      output: '{"id":9007199254740993,"price":1.10}',
    },
    {
      about: 'odd names are names like others',
      config: { fields: ['__proto__'] },
      input: '{"__proto__":1,"a":2}',
      output: '{"a":2}',
    },
  ],
  compile({ fields }) {
    return () => row => {
      let removed = false
      for (const name of fields) if (row.fields.delete(name)) removed = true
      return removed ? 'changed' : 'same'
    }
  },
})
