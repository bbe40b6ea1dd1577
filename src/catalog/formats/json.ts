import { z } from 'zod'
import { skipSpace } from '../../kernel/json.ts'
import { defineFormat } from './format.ts'
import { examples } from './json/examples.ts'
import { bomOf, reader } from './json/reader.ts'

const options = z.strictObject({
  data_path: z
    .string()
    .regex(/^(\/([^~]|~[01])*)?$/, 'expected a JSON pointer such as /data/items')
    .optional()
    .describe(
      'A JSON pointer to the array that has the rows; without it the whole file is one, or has an object a line.',
    ),
})
export type Options = z.output<typeof options>

/** JSON: an array of objects, an object a line, objects one after the other, or an array somewhere inside. */
export const json = defineFormat({
  name: 'json',
  summary: 'JSON: an array of objects, one object a line (NDJSON), or an array found by a pointer. Kept byte for byte.',
  extensions: ['.json', '.ndjson', '.jsonl', '.geojson'],
  options,
  examples,
  recognises(head) {
    const at = skipSpace(head, bomOf(head), head.length)
    const then = head[skipSpace(head, at + 1, head.length)] ?? 0
    if (head[at] === 123) return then === 34 || then === 125
    return head[at] === 91 && (then === 0 || '{["]-0123456789tfn'.includes(String.fromCharCode(then)))
  },
  ...reader,
})
