import { z } from 'zod'
import { CONVERSIONS } from './cast-values.ts'
import { byField, transformation } from './transformation.ts'

const types = Object.keys(CONVERSIONS) as (keyof typeof CONVERSIONS)[]

export const cast = transformation({
  name: 'cast',
  summary: `Turns values into another type: ${types.join(', ')}. Digits are kept, never rounded; null stays null and a missing field missing. What cannot be turned is refused, or made null with invalid: null.`,
  can: { drop: false, refuse: true, remember: false },
  config: z.strictObject({
    fields: byField(z.enum(types)),
    invalid: z.enum(['refuse', 'null']).default('refuse'),
  }),
  examples: [
    {
      about: 'text to numbers, exactly',
      config: { fields: { id: 'integer', price: 'number', n: 'integer' } },
      input: '{"id":"9007199254740993","price":" +01.10 ","n":1.2e1,"x":1.0}',
      output: '{"id":9007199254740993,"price":1.10,"n":12,"x":1.0}',
    },
    {
      about: 'anything to text',
      config: { fields: { a: 'string', b: 'string', c: 'string', d: 'string' } },
      input: '{"a":1.10,"b":true,"c":{"x":"y"},"d":null}',
      output: '{"a":"1.10","b":"true","c":"{\\"x\\":\\"y\\"}","d":null}',
    },
    {
      about: 'to true and false',
      config: { fields: { a: 'boolean', b: 'boolean', c: 'boolean' } },
      input: '{"a":"Yes","b":0,"c":"f"}',
      output: '{"a":true,"b":false,"c":false}',
    },
    {
      about: 'to dates and times; without a zone it is UTC',
      config: { fields: { day: 'date', from: 'date', at: 'date-time', on: 'date-time' } },
      input: '{"day":"2024/02/29","from":"2024-01-31T23:00:00-05:00","at":"2024-01-31 8:30","on":"2024-01-31"}',
      output: '{"day":"2024-02-29","from":"2024-01-31","at":"2024-01-31T08:30:00Z","on":"2024-01-31T00:00:00Z"}',
    },
    {
      about: 'JSON inside text',
      config: { fields: { payload: 'json' } },
      input: '{"payload":"{\\"n\\": 9007199254740993}"}',
      output: '{"payload":{"n": 9007199254740993}}',
    },
    {
      about: 'what is no number is refused',
      config: { fields: { amount: 'integer' } },
      input: '{"amount":"abc"}',
      output: { refused: 'INVALID_VALUE', field: 'amount' },
    },
    {
      about: 'a fraction is not cut off',
      config: { fields: { amount: 'integer' } },
      input: '{"amount":1.5}',
      output: { refused: 'INVALID_VALUE', field: 'amount' },
    },
    {
      about: 'or made null',
      config: { fields: { amount: 'integer', day: 'date' }, invalid: 'null' },
      input: '{"amount":"","day":"2023-02-29"}',
      output: '{"amount":null,"day":null}',
    },
  ],
  compile({ fields, invalid }) {
    const casts = Object.entries(fields)
    return () => row => {
      let changed = false
      for (const [name, type] of casts) {
        const value = row.fields.get(name)
        if (value === undefined || value === 'null') continue
        const made = CONVERSIONS[type](value)
        if (made === undefined && invalid === 'refuse')
          return { code: 'INVALID_VALUE', field: name, message: `${name}: ${shown(value)} cannot become ${type}` }
        if (made === value) continue
        row.fields.set(name, made ?? 'null')
        changed = true
      }
      return changed ? 'changed' : 'same'
    }
  },
})

function shown(value: string): string {
  return value.length > 60 ? `${value.slice(0, 60)}…` : value
}
