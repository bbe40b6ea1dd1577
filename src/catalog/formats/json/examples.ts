import type { Example } from '../format.ts'

export const examples: readonly Example[] = [
  {
    name: 'an array, kept byte for byte',
    input: '[{"id": 9007199254740993, "price": 1.0},\n {"id": "b", "tags": ["x", {"y": null}]}]\n',
    options: {},
    rows: ['{"id": 9007199254740993, "price": 1.0}', '{"id": "b", "tags": ["x", {"y": null}]}'],
  },
  {
    name: 'an object a line; a line that is broken is refused',
    input: '{"id":1}\n\n{"id":2\n"text"\n{"id":3}',
    options: {},
    rows: ['{"id":1}', '{"id":3}'],
    refusals: [
      { row: 2, code: 'INVALID_JSON' },
      { row: 3, code: 'NOT_AN_OBJECT' },
    ],
  },
  {
    name: 'an array inside',
    input: '{"meta":{"items":[0]},"data":{"items":[{"id":1},2,{"id":3}]},"next":null}',
    options: { data_path: '/data/items' },
    rows: ['{"id":1}', '{"id":3}'],
    refusals: [{ row: 2, code: 'NOT_AN_OBJECT' }],
  },
  {
    name: 'objects over several lines',
    input: '{\n  "id": 1\n}\n{\n  "id": 2\n}\n',
    options: {},
    rows: ['{\n  "id": 1\n}', '{\n  "id": 2\n}'],
  },
  {
    name: 'an array that is cut off',
    input: '[{"id":1},{"id":2},{"id":',
    options: {},
    rows: ['{"id":1}', '{"id":2}'],
    damage: 'the text ends where a value was expected at byte 25, in row 3',
  },
]
