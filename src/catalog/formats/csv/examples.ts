import type { Example } from '../format.ts'

export const examples: readonly Example[] = [
  {
    name: 'quotes, and values that stay text',
    input: 'id,name,note\n007,"Fogg, Phileas","said ""80 days""\nand went"\n8,,""\n',
    options: {},
    rows: [
      '{"id":"007","name":"Fogg, Phileas","note":"said \\"80 days\\"\\nand went"}',
      '{"id":"8","name":"","note":""}',
    ],
  },
  {
    name: 'semicolons, no header, and what stands for null',
    input: '1;NULL\r\n2;x\r\n',
    options: { header: false, null_values: ['NULL', ''] },
    rows: ['{"column_1":"1","column_2":null}', '{"column_1":"2","column_2":"x"}'],
  },
  {
    name: 'a ragged row and one with a stray quote are refused, the others go in',
    input: 'id,name\n1,a\n2\n3,"b"c\n4,d\n',
    options: {},
    rows: ['{"id":"1","name":"a"}', '{"id":"4","name":"d"}'],
    refusals: [
      { row: 2, code: 'RAGGED_ROW' },
      { row: 3, code: 'INVALID_QUOTES', column: 'name' },
    ],
  },
  {
    name: 'names that come twice or are missing',
    input: 'a,a,,a_2\n1,2,3,4\n',
    options: {},
    rows: ['{"a":"1","a_3":"2","column_3":"3","a_2":"4"}'],
  },
  {
    name: 'Chinese in GBK',
    input: { base64: 'w/uzxiyzx8rQCtXFyP0ssbG+qQo=' },
    options: {},
    rows: ['{"名称":"张三","城市":"北京"}'],
  },
  {
    name: 'bytes that are wrong for the encoding',
    input: { base64: 'aWQsY2l0eQoxLFr8cmljaAoyLErDqW5hCg==' },
    options: { encoding: 'UTF-8' },
    rows: ['{"id":"2","city":"Jéna"}'],
    refusals: [{ row: 1, code: 'INVALID_ENCODING', column: 'city' }],
  },
  {
    name: 'a quote that is never closed',
    input: 'id,name\n1,a\n2,"b\n3,c\n',
    options: {},
    rows: ['{"id":"1","name":"a"}'],
    damage: 'the quote that opens in line 3 is never closed',
  },
]
