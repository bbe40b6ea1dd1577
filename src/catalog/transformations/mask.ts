import { z } from 'zod'
import { quoted, typeOf, unquoted } from '../../kernel/members.ts'
import { fieldNames, transformation } from './transformation.ts'

const MOST_SHOWN = 100

export const mask = transformation({
  name: 'mask',
  summary:
    'Replaces the characters of values by with (*), except the first keep_first and the last keep_last. A value no ' +
    'longer than what would be kept is masked whole; a number becomes text; an object, an array, true and false become ***.',
  can: { drop: false, refuse: false, remember: false },
  config: z.strictObject({
    fields: fieldNames,
    keep_first: z.int().min(0).max(MOST_SHOWN).default(0),
    keep_last: z.int().min(0).max(MOST_SHOWN).default(0),
    with: z.string().min(1).max(4).default('*'),
  }),
  examples: [
    {
      about: 'a card number',
      config: { fields: ['card', 'pin'], keep_last: 4 },
      input: '{"id":1.0,"card":"4111 1111 1111 1234","pin":"1234"}',
      output: '{"id":1.0,"card":"***************1234","pin":"****"}',
    },
    {
      about: 'characters, not halves of them',
      config: { fields: ['name'], keep_first: 1, with: '•' },
      input: '{"name":"😀änne"}',
      output: '{"name":"😀••••"}',
    },
    {
      about: 'no value shows through by its type; null says nothing',
      config: { fields: ['a', 'b', 'c', 'd'], keep_last: 2 },
      input: '{"a":123456,"b":{"secret":1},"c":true,"d":null}',
      output: '{"a":"****56","b":"***","c":"***","d":null}',
    },
  ],
  compile({ fields, keep_first, keep_last, with: cover }) {
    const masked = (text: string): string => {
      const characters = [...text]
      if (characters.length <= keep_first + keep_last) return cover.repeat(characters.length)
      const last = characters.length - keep_last
      return (
        characters.slice(0, keep_first).join('') + cover.repeat(last - keep_first) + characters.slice(last).join('')
      )
    }
    return () => row => {
      let changed = false
      for (const name of fields) {
        const value = row.fields.get(name)
        if (value === undefined || value === 'null') continue
        const type = typeOf(value)
        const text = type === 'string' ? masked(unquoted(value)) : type === 'number' ? masked(value) : cover.repeat(3)
        row.fields.set(name, quoted(text))
        changed = true
      }
      return changed ? 'changed' : 'same'
    }
  },
})
