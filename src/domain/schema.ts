import { typeOf } from '../kernel/members.ts'

/** A JSON Schema 2020-12 of a data set's rows; its columns are the properties at the top. */
export type JsonSchema = Readonly<Record<string, unknown>>

/** The types that JSON Schema knows. */
export type ColumnType = 'integer' | 'number' | 'string' | 'boolean' | 'object' | 'array' | 'null'

const ORDER: readonly ColumnType[] = ['integer', 'number', 'string', 'boolean', 'object', 'array', 'null']

export const DRAFT = 'https://json-schema.org/draft/2020-12/schema'

/** Longest name of a column that is put into a schema. */
export const MAX_NAME = 500

/** The type of a value's JSON text. Written with a point or an exponent it is a number, whole or not: prices are. */
export function columnTypeOf(text: string): ColumnType {
  const type = typeOf(text)
  return type === 'number' && /^-?\d+$/.test(text) ? 'integer' : type
}

/** Whether a column of these types has room for another. */
export function admits(types: ReadonlySet<ColumnType>, type: ColumnType): boolean {
  return types.has(type) || (type === 'integer' && types.has('number'))
}

/** Types as the keyword `type` has them, integer within number. */
export function typeKeyword(types: ReadonlySet<ColumnType>): ColumnType | ColumnType[] {
  const list = ORDER.filter(type => types.has(type) && !(type === 'integer' && types.has('number')))
  return list.length === 1 ? list[0]! : list
}

/** The types that a column's keyword `type` names; undefined when it has none. */
export function typesOf(column: unknown): Set<ColumnType> | undefined {
  const type = isObject(column) ? column.type : undefined
  if (typeof type === 'string') return new Set([type as ColumnType])
  return Array.isArray(type) ? new Set(type) : undefined
}

/** The columns that a schema lists. */
export function columnsOf(schema: JsonSchema): Readonly<Record<string, unknown>> {
  return isObject(schema.properties) ? schema.properties : {}
}

export function requiredOf(schema: JsonSchema): readonly string[] {
  return Array.isArray(schema.required) ? schema.required : []
}

/** A schema with other columns and other required ones; everything else of it stays. */
export function withColumns(
  schema: JsonSchema,
  columns: Readonly<Record<string, unknown>>,
  required: readonly string[],
): JsonSchema {
  const { required: _before, ...rest } = schema
  return { ...rest, properties: columns, ...(required.length > 0 ? { required } : {}) }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * What two schemas that grew from one have both seen: all columns of both, each with the types of both and with the
 * keywords that both have alike; required is what both require. So two pushes that widened a schema at once both hold.
 */
export function joinSchemas(a: JsonSchema, b: JsonSchema): JsonSchema {
  const [left, right] = [columnsOf(a), columnsOf(b)]
  const columns = Object.entries(left).map(([name, column]) => [
    name,
    Object.hasOwn(right, name) ? joinColumns(column, right[name]) : column,
  ])
  for (const [name, column] of Object.entries(right)) if (!Object.hasOwn(left, name)) columns.push([name, column])
  const required = requiredOf(a).filter(name => requiredOf(b).includes(name))
  return withColumns(a, Object.fromEntries(columns), required)
}

function joinColumns(a: unknown, b: unknown): unknown {
  if (JSON.stringify(a) === JSON.stringify(b)) return a
  if (!isObject(a) || !isObject(b)) return a === false ? b : b === false ? a : true
  const alike = Object.entries(a).filter(([name, value]) => JSON.stringify(value) === JSON.stringify(b[name]))
  const [left, right] = [typesOf(a), typesOf(b)]
  const type = left && right ? { type: typeKeyword(new Set([...left, ...right])) } : {}
  return { ...type, ...Object.fromEntries(alike) }
}
