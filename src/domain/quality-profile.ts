import { type Column, columnName, FIRST_SHAPE, isLookedAt, type QualityState } from './quality-state.ts'
import {
  ARRAY,
  agrees,
  BLANK,
  BOOLEAN,
  INTEGER,
  NULL,
  NUMBER,
  OBJECT,
  SHAPES,
  SHORT,
  STRING,
  TYPES,
} from './quality-values.ts'
import { admits, type ColumnType, columnsOf, type JsonSchema, requiredOf, typesOf } from './schema.ts'

/** What a column's values are by the state and, where there is one, the schema: what each single value is held against. */
export interface ColumnProfile {
  readonly name: string
  /** Records that have the column at all. */
  readonly present: number
  /** Values that are neither null nor blank. */
  readonly filled: number
  /** Whether a value of this place in TYPES is as it should be. */
  readonly admits: readonly boolean[]
  /** What it should be, in words. */
  readonly expected: string
  /** The values that are as they should be, of all that are judged. */
  readonly valid: number
  readonly judged: number
  /** Most frequent shape of its texts, -1 for none; how many have it, and how many have a shape. */
  readonly shape: number
  readonly alike: number
  readonly shaped: number
}

/** Types that count as one: whole numbers are numbers. */
const GROUPS: readonly { readonly name: string; readonly types: readonly number[] }[] = [
  { name: 'number', types: [INTEGER, NUMBER] },
  { name: 'string', types: [STRING] },
  { name: 'boolean', types: [BOOLEAN] },
  { name: 'object', types: [OBJECT] },
  { name: 'array', types: [ARRAY] },
]

const ANY: (typeof GROUPS)[number] = { name: 'anything', types: [] }

/** The columns of a data set by name: those that its records have, and those that its schema requires. */
export function profileOf(state: QualityState, schema?: JsonSchema): Map<string, ColumnProfile> {
  const listed = schema ? byColumnName(columnsOf(schema)) : {}
  const required = new Set(schema ? requiredOf(schema).map(columnName) : [])
  const columns = [...state.columns.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  const profiles = new Map<string, ColumnProfile>()
  for (const column of columns) {
    const bySchema = schema && schemaOf(schema, listed, column.name)
    profiles.set(column.name, profile(column, state.records, bySchema, required.has(column.name)))
  }
  for (const name of required) {
    // Of more columns than are looked at it is not known which are there.
    if (profiles.has(name) || !isLookedAt(state, name)) continue
    const none = { name, counts: [], present: 0 }
    profiles.set(name, profile(none, state.records, schemaOf(schema!, listed, name), true))
  }
  return profiles
}

/** What a schema says of columns, by what those are called in a state. */
function byColumnName(listed: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const cut = Object.keys(listed).filter(name => columnName(name) !== name)
  return cut.length === 0
    ? listed
    : { ...listed, ...Object.fromEntries(cut.map(name => [columnName(name), listed[name]])) }
}

type Allowed = { readonly types: ReadonlySet<ColumnType> | undefined; readonly none: boolean }

function schemaOf(schema: JsonSchema, listed: Readonly<Record<string, unknown>>, name: string): Allowed {
  // Which names a pattern means is not known here: what it says is left to the schema's own check.
  const isClosed = schema.additionalProperties === false && schema.patternProperties === undefined
  if (!Object.hasOwn(listed, name)) return { types: undefined, none: isClosed }
  const column = listed[name]
  return { types: typesOf(column), none: column === false }
}

function profile(
  { name, counts, present }: Pick<Column, 'name' | 'counts' | 'present'>,
  records: number,
  allowed: Allowed | undefined,
  required: boolean,
): ColumnProfile {
  const count = (type: number) => counts[type] ?? 0
  const filled = present - count(NULL) - count(BLANK)
  // A column that nothing was ever in says nothing of what may come.
  const majority = GROUPS.reduce((a, b) => (sum(count, b.types) > sum(count, a.types) ? b : a), ANY)
  const isAdmitted = TYPES.map((type, at) => {
    if (!allowed) return at === NULL || at === BLANK || majority === ANY || majority.types.includes(at)
    if (allowed.none) return false
    return !allowed.types || admits(allowed.types, type === 'blank' ? 'string' : type)
  })
  const admitted = TYPES.reduce((total, _, at) => total + (isAdmitted[at] ? count(at) : 0), 0)
  // Without a schema only what is there is judged; with one, null where it may not be and what is required and lacking.
  const missing = count(NULL) + count(BLANK)
  const judged = allowed ? (required ? records : present) : filled
  const expected = allowed
    ? allowed.none
      ? 'nothing'
      : [...(allowed.types ?? ['anything'])].join(' or ')
    : majority.name
  return {
    name,
    present,
    filled,
    admits: isAdmitted,
    expected,
    valid: allowed ? admitted : admitted - missing,
    judged,
    ...shapeOf(count),
  }
}

function shapeOf(count: (at: number) => number): Pick<ColumnProfile, 'shape' | 'alike' | 'shaped'> {
  const texts = (shape: number) => count(FIRST_SHAPE + shape)
  let [shape, alike, shaped] = [-1, 0, 0]
  for (let at = 0; at < SHAPES; at++) {
    shaped += texts(at)
    // Abbreviations are for themselves only where there is nothing else.
    const agreeing = at === SHORT ? 0 : texts(at) + (agrees(SHORT, at) ? texts(SHORT) : 0)
    if (agreeing > alike) [shape, alike] = [at, agreeing]
  }
  return { shape, alike, shaped }
}

function sum(count: (at: number) => number, types: readonly number[]): number {
  return types.reduce((total, type) => total + count(type), 0)
}
