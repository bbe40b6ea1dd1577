import { hash } from 'node:crypto'
import { z } from 'zod'
import { canonicalJson } from '../../kernel/canonical.ts'
import { invalid } from '../../kernel/errors.ts'
import { fieldNames, transformation } from './transformation.ts'

const DEFAULT_WINDOW = 100_000
const LONGEST_KEPT = 100
/** Spelled in one way only. */
const PLAIN = /^(?:"[^"\\]*"|-?[1-9]\d*)$/

export const dedupe = transformation({
  name: 'dedupe',
  summary:
    'Keeps the first row of each key (the values of fields) and drops the rows that repeat it within the same push or ' +
    'run. It remembers the last window keys (100,000): a repeat further back is not noticed. A row that lacks one of ' +
    'the fields, or has null there, is kept.',
  can: { drop: true, refuse: false, remember: true },
  config: z.strictObject({
    fields: fieldNames,
    window: z.int().min(1).optional(),
  }),
  examples: [
    {
      about: 'the first row is kept as it is',
      config: { fields: ['id'] },
      input: '{"id":1.0, "n":9007199254740993}',
      output: '{"id":1.0, "n":9007199254740993}',
    },
    { about: 'a row without a key is no repeat', config: { fields: ['id'] }, input: '{}', output: '{}' },
  ],
  compile({ fields, window: wanted }, { dedupeKeys }) {
    const window = wanted ?? Math.min(DEFAULT_WINDOW, dedupeKeys)
    if (window > dedupeKeys) throw invalid('window', `expected at most ${dedupeKeys}, got ${window}`)
    return () => {
      const seen = new Set<string>()
      return row => {
        let key = ''
        for (const name of fields) {
          const value = row.fields.get(name)
          if (value === undefined || value === 'null') return 'same'
          // Spelling is no difference: 1 and 1.0 are one key.
          key += `${PLAIN.test(value) ? value : canonicalJson(value)}\n`
        }
        if (key.length > LONGEST_KEPT) key = hash('sha256', key, 'base64')
        if (seen.has(key)) return 'dropped'
        seen.add(key)
        if (seen.size > window) for (const oldest of seen) return forget(seen, oldest)
        return 'same'
      }
    }
  },
})

function forget(seen: Set<string>, key: string): 'same' {
  seen.delete(key)
  return 'same'
}
