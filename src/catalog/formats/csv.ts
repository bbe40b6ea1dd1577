import { z } from 'zod'
import { guessDelimiter } from './csv/dialect.ts'
import { ALIASES, asciiKept, ENCODINGS } from './csv/encoding.ts'
import { examples } from './csv/examples.ts'
import { reader } from './csv/reader.ts'
import { defineFormat, HEAD_BYTES } from './format.ts'

const SINGLE = /^[\t\x20!#-/:-@[-`{-~]$/

const options = z.strictObject({
  delimiter: z
    .string()
    .transform(text => (text === '\\t' || text === 'tab' ? '\t' : text))
    .refine(text => SINGLE.test(text), 'expected one character such as , ; | or a tab')
    .optional()
    .describe('What stands between cells; found by looking at the first rows when left out.'),
  encoding: z
    .string()
    .transform(text => ALIASES[text.toLowerCase()] ?? text.toLowerCase())
    .pipe(z.enum(ENCODINGS))
    .optional()
    .describe('utf-8, utf-16le, utf-16be, gb18030 (also gbk) or windows-1252; found when left out, but the last one.'),
  header: z.boolean().default(true).describe('Whether the first row has the names; else they are column_1, column_2…'),
  null_values: z.array(z.string()).default([]).describe('Cells that become null. All others stay text, "" too.'),
})
export type Options = z.output<typeof options>

/** Csv, and what is like it with another delimiter. */
export const csv = defineFormat({
  name: 'csv',
  summary: 'Text with a row a line: comma, semicolon, tab or |, in UTF-8, UTF-16 or GB 18030. Values stay text.',
  extensions: ['.csv', '.tsv', '.tab', '.txt', '.psv'],
  options,
  examples,
  recognises(head) {
    const encoding = head[0] === 0xff && head[1] === 0xfe ? 'utf-16le' : head[0] === 0xfe ? 'utf-16be' : 'utf-8'
    const text = asciiKept(head, encoding)
    if (text.includes(0)) return false
    const { columns, rows, agree } = guessDelimiter(text, head.length < HEAD_BYTES, false)
    return columns > 1 && rows > 1 && agree > rows * 0.8
  },
  ...reader,
})
