import { _, type Ajv2020, type CodeKeywordDefinition, type KeywordCxt, Name } from 'ajv/dist/2020.js'
import { canonicalJson } from '../../kernel/canonical.ts'
import { isMultipleOf, type ParsedRow } from './numbers.ts'
import { WORK } from './prepare.ts'
import { work, workOn } from './work.ts'

/** What ajv's code has found so far. */
const FOUND = new Name('vErrors')

/** The texts of the numbers of the row that is being checked. */
let texts: ParsedRow['texts']

export function setTexts(of: ParsedRow['texts']): void {
  texts = of
}

/** Puts our own keyword in, and ours in the place of those that are slow or wrong about decimals. */
export function addKeywords(ajv: Ajv2020): void {
  ajv.addKeyword({
    keyword: WORK,
    schemaType: 'array',
    code(cxt: KeywordCxt) {
      const [keywords, wholly] = cxt.schema as [number, boolean]
      const count = cxt.gen.scopeValue('func', { ref: workOn })
      cxt.gen.code(_`${count}(${cxt.data}, ${keywords}, ${wholly}, ${FOUND})`)
    },
  } satisfies CodeKeywordDefinition)
  ajv.removeKeyword('multipleOf')
  ajv.addKeyword({
    keyword: 'multipleOf',
    type: 'number',
    schemaType: 'number',
    error: { message: cxt => _`${`must be multiple of ${cxt.schema}`}` },
    code(cxt: KeywordCxt) {
      const check = cxt.gen.scopeValue('func', { ref: isMultipleHere })
      const { parentData, parentDataProperty } = cxt.it
      cxt.pass(_`${check}(${cxt.data}, ${cxt.schema}, ${parentData}, ${parentDataProperty})`)
    },
  } satisfies CodeKeywordDefinition)
  ajv.removeKeyword('uniqueItems')
  ajv.addKeyword({
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    error: { message: 'must NOT have duplicate items' },
    code(cxt: KeywordCxt) {
      if (!cxt.schema) return
      const check = cxt.gen.scopeValue('func', { ref: areUnique })
      cxt.pass(_`${check}(${cxt.data})`)
    },
  } satisfies CodeKeywordDefinition)
}

function isMultipleHere(value: number, of: number, parent: object | undefined, name: string | number): boolean {
  return isMultipleOf(value, of, parent, name, texts)
}

/** ajv compares each object with each; a look-up by what they say is linear. */
function areUnique(items: readonly unknown[]): boolean {
  const seen = new Set<unknown>()
  for (const item of items) {
    const key = typeof item === 'object' && item !== null ? keyOf(item) : item
    if (seen.has(key)) return false
    seen.add(key)
  }
  return true
}

const OBJECT = '\u0000'

/** A text that equal objects share and no string equals. */
function keyOf(item: object): string {
  const text = JSON.stringify(item)
  work(text.length)
  return OBJECT + canonicalJson(text)
}
