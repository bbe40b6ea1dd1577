import { elementsOf, membersOf, objectText, typeOf } from '../kernel/members.ts'
import { evolveSchema } from './evolution.ts'
import { columnsOf, type JsonSchema } from './schema.ts'

/** What happens when a row does not fit the schema of its data set. */
export const CONTRACTS = ['evolve', 'freeze', 'discard_row', 'discard_value'] as const
export type SchemaContract = (typeof CONTRACTS)[number]

export const DEFAULT_CONTRACT: SchemaContract = 'discard_row'

/** Where and why a row does not fit: a JSON pointer into it, the keyword of the schema, words. */
export interface Violation {
  readonly pointer: string
  readonly keyword: string
  readonly message: string
}

/** Holds a row's JSON text against a schema, as the contract reads it: null, or what does not fit. */
export type Check = (json: string) => readonly Violation[] | null

export type Verdict =
  /** `json` is the row that goes on; `schema` what the data set's has become by it. */
  | { readonly is: 'taken'; readonly json: string; readonly schema?: JsonSchema }
  /** This row does not come in. */
  | { readonly is: 'refused'; readonly violations: readonly Violation[] }
  /** The push that it came with does not come in. */
  | { readonly is: 'frozen'; readonly violations: readonly Violation[] }

/** Keywords that speak of columns without naming them in `properties`: who uses them says what columns there may be. */
const COMPOSING = ['$ref', '$dynamicRef', 'allOf', 'anyOf', 'oneOf', 'if', 'dependentSchemas']

/**
 * The schema by which a contract judges rows. Under discard_row that is the schema itself: a column it does not list is
 * welcome unless additionalProperties says otherwise, as JSON Schema has it. The other contracts are about the columns
 * there are. A column that the schema does not list is a change under evolve, and does not fit under freeze and
 * discard_value, unless the schema speaks of further columns itself: by additionalProperties or unevaluatedProperties, or by
 * composing schemas. A schema that lists no columns rules out none.
 */
export function schemaFor(contract: SchemaContract, schema: JsonSchema): JsonSchema {
  if (contract === 'discard_row') return schema
  const speaks = ['additionalProperties', 'unevaluatedProperties', ...COMPOSING].some(name => name in schema)
  const lists = contract === 'evolve' || Object.keys(columnsOf(schema)).length > 0
  return speaks || !lists ? schema : { ...schema, additionalProperties: false }
}

/**
 * Decides about a row, which `check` holds against `schemaFor(contract, schema)`.
 * - evolve: it is taken; new columns, types and missing required columns change the schema (see evolveSchema).
 * - freeze: nothing of its push is taken.
 * - discard_row: it is refused.
 * - discard_value: the values that do not fit and the columns that are not listed are taken out of it, all others stay
 *   as they are written; it is refused when that leaves a required column missing, or is not to be mended so.
 */
export function decideRow(
  contract: SchemaContract,
  schema: JsonSchema,
  json: string,
  check: Check,
  maxColumns: number,
): Verdict {
  const violations = check(json)
  if (violations === null) return { is: 'taken', json }
  if (violations[0]?.keyword === 'work') return { is: 'refused', violations }
  switch (contract) {
    case 'evolve': {
      const evolved = evolveSchema(schema, json, violations, maxColumns)
      return evolved ? { is: 'taken', json, schema: evolved } : { is: 'taken', json }
    }
    case 'freeze':
      return { is: 'frozen', violations }
    case 'discard_row':
      return { is: 'refused', violations }
    case 'discard_value':
      return withoutWhatFails(json, violations, check)
  }
}

/** Taking values out may leave too few of them, whose array or object then goes; it ends with the row. */
const MAX_PASSES = 20

function withoutWhatFails(json: string, first: readonly Violation[], check: Check): Verdict {
  let text = json
  let violations: readonly Violation[] | null = first
  for (let pass = 0; pass < MAX_PASSES && violations !== null; pass++) {
    const pointers = violations.map(toTakeOut)
    if (pointers.includes('')) return { is: 'refused', violations: violations.filter(each => toTakeOut(each) === '') }
    const next = withoutValues(text, pointers)
    if (next === text) break
    text = next
    violations = check(text)
  }
  return violations === null ? { is: 'taken', json: text } : { is: 'refused', violations }
}

/** The pointer of what has to go; empty when only the whole row would do. */
function toTakeOut({ pointer, keyword }: Violation): string {
  // What is missing cannot be taken out, only what it is missing in.
  const missing = keyword === 'required' || keyword === 'dependentRequired'
  return missing ? pointer.slice(0, pointer.lastIndexOf('/')) : pointer
}

/** What is to go of a value: all of it, or something of these parts. */
interface Branch {
  whole: boolean
  readonly parts: Map<string, Branch>
}

/** A JSON text without the values at these JSON pointers; what stays is as it was written. */
export function withoutValues(json: string, pointers: readonly string[]): string {
  const root: Branch = { whole: false, parts: new Map() }
  for (const pointer of pointers) {
    let branch = root
    for (const token of pointer.split('/').slice(1)) {
      const name = token.replaceAll('~1', '/').replaceAll('~0', '~')
      const next = branch.parts.get(name) ?? { whole: false, parts: new Map() }
      branch.parts.set(name, next)
      branch = next
    }
    branch.whole = true
  }
  return without(json, root) ?? 'null'
}

function without(text: string, { whole, parts }: Branch): string | undefined {
  if (whole) return undefined
  const type = typeOf(text)
  if (type === 'object') {
    const members = membersOf(text)
    for (const [name, branch] of parts) {
      const value = members.get(name)
      const left = value === undefined ? undefined : without(value, branch)
      if (left === undefined) members.delete(name)
      else members.set(name, left)
    }
    return objectText(members)
  }
  if (type !== 'array') return text
  const elements = elementsOf(text).map((element, i) => {
    const branch = parts.get(String(i))
    return branch ? without(element, branch) : element
  })
  return `[${elements.filter(element => element !== undefined).join(',')}]`
}
