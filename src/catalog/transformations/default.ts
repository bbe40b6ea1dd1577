import { z } from 'zod'
import { byField, transformation } from './transformation.ts'

export const defaults = transformation({
  name: 'default',
  summary: 'Gives fields a value where they are missing or null; with when: missing, null stays null.',
  can: { drop: false, refuse: false, remember: false },
  config: z.strictObject({
    values: byField(z.json()),
    when: z.enum(['missing', 'missing_or_null']).default('missing_or_null'),
  }),
  examples: [
    {
      about: 'where nothing is',
      config: { values: { country: 'DE', tags: [], n: 1.5 } },
      input: '{"id":9007199254740993,"country":null,"n":0}',
      output: '{"id":9007199254740993,"country":"DE","n":0,"tags":[]}',
    },
    {
      about: 'null may be meant',
      config: { values: { country: 'DE' }, when: 'missing' },
      input: '{"country":null}',
      output: '{"country":null}',
    },
  ],
  compile({ values, when }) {
    const texts = Object.entries(values).map(([name, value]) => [name, JSON.stringify(value)] as const)
    return () => row => {
      let changed = false
      for (const [name, text] of texts) {
        const value = row.fields.get(name)
        if (value !== undefined && (value !== 'null' || when === 'missing')) continue
        row.fields.set(name, text)
        changed = true
      }
      return changed ? 'changed' : 'same'
    }
  },
})
