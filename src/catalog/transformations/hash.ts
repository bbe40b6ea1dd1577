import { createHmac, hash as digest } from 'node:crypto'
import { z } from 'zod'
import { canonicalJson } from '../../kernel/canonical.ts'
import { typeOf, unquoted } from '../../kernel/members.ts'
import { fieldNames, transformation } from './transformation.ts'

export const hash = transformation({
  name: 'hash',
  summary:
    'Replaces values by their SHA-256 or SHA-512, with a salt by the HMAC under it, in hex or base64. Equal values give ' +
    'equal hashes: a text is hashed as its UTF-8 bytes, any other value as its JSON text (1.0 like 1); null stays null.',
  can: { drop: false, refuse: false, remember: false },
  secrets: ['salt'],
  config: z.strictObject({
    fields: fieldNames,
    salt: z.string().min(1).max(1000).optional(),
    algorithm: z.enum(['sha256', 'sha512']).default('sha256'),
    encoding: z.enum(['hex', 'base64']).default('hex'),
  }),
  examples: [
    {
      about: 'plain',
      config: { fields: ['email', 'none'] },
      input: '{"id":1.0,"email":"ann@example.org","none":null}',
      output: '{"id":1.0,"email":"438c4c7afe600cdf1e455c369bec76dc970fc8ca463447c7b387a347f3c79331","none":null}',
    },
    {
      about: 'with a salt nobody can hash a list of guesses',
      config: { fields: ['email'], salt: 'pepper', encoding: 'base64' },
      input: '{"email":"ann@example.org"}',
      output: '{"email":"q2UJN8kw/u+h+VX2j/J6uco30MKAFAkutk6Fw6gndM0="}',
    },
    {
      about: 'a number and its digits as text are one',
      config: { fields: ['a', 'b', 'c'] },
      input: '{"a":7,"b":"7","c":7.0}',
      output:
        '{"a":"7902699be42c8a8e46fbbb4501726517e86b22c56a189f7625a6da49081b2451","b":"7902699be42c8a8e46fbbb4501726517e86b22c56a189f7625a6da49081b2451","c":"7902699be42c8a8e46fbbb4501726517e86b22c56a189f7625a6da49081b2451"}',
    },
  ],
  compile({ fields, salt, algorithm, encoding }) {
    const hashed = (text: string): string =>
      salt === undefined
        ? digest(algorithm, text, encoding)
        : createHmac(algorithm, salt).update(text, 'utf8').digest(encoding)
    return () => row => {
      let changed = false
      for (const name of fields) {
        const value = row.fields.get(name)
        if (value === undefined || value === 'null') continue
        const text = typeOf(value) === 'string' ? unquoted(value) : canonicalJson(value)
        row.fields.set(name, `"${hashed(text)}"`)
        changed = true
      }
      return changed ? 'changed' : 'same'
    }
  },
})
