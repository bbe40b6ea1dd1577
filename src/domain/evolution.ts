import { membersOf } from '../kernel/members.ts'
import type { Violation } from './contract.ts'
import {
  admits,
  columnsOf,
  columnTypeOf,
  isObject,
  type JsonSchema,
  MAX_NAME,
  requiredOf,
  typeKeyword,
  typesOf,
  withColumns,
} from './schema.ts'

/** What may be said of a column whatever its values are. */
const NOTES = ['title', 'description', '$comment', 'default', 'examples', 'deprecated', 'readOnly', 'writeOnly']

/**
 * The schema that a row has made of another; undefined when nothing changes. A new column comes with its value's type (not
 * yet while it is null), a value of another type widens its column (integer and number are number), a keyword that a
 * value breaks goes from its column, a required column that is missing is required no more. Where the fault is inside a
 * column's value, or in what a column refers to, only the column's type stays. What a schema says beyond its columns is
 * left alone, though the row may break it. Columns past `maxColumns` are not added.
 * The violations may be those of an older schema: what this one admits changes nothing.
 */
export function evolveSchema(
  schema: JsonSchema,
  json: string,
  violations: readonly Violation[],
  maxColumns: number,
): JsonSchema | undefined {
  const row = membersOf(json)
  const columns = new Map(Object.entries(columnsOf(schema)))
  let required = requiredOf(schema)
  let changed = false

  function put(name: string, column: unknown): void {
    columns.set(name, column)
    changed = true
  }

  for (const { pointer, keyword } of violations) {
    const [, token, ...deeper] = pointer.split('/')
    if (token === undefined) continue
    const name = token.replaceAll('~1', '/').replaceAll('~0', '~')
    const value = row.get(name)
    if (value === undefined) {
      if (!required.includes(name)) continue
      required = required.filter(each => each !== name)
      changed = true
    } else if (columns.has(name)) {
      const column = columns.get(name)
      const next = loosened(column, deeper.length > 0 ? undefined : keyword, value)
      if (next !== column) put(name, next)
    } else if (keyword === 'additionalProperties' && deeper.length === 0 && value !== 'null') {
      if (columns.size < maxColumns && name.length <= MAX_NAME && name !== '__proto__')
        put(name, { type: columnTypeOf(value) })
    }
  }
  return changed ? withColumns(schema, Object.fromEntries(columns), required) : undefined
}

/** A column with room for a value that broke a keyword of it; undefined stands for a fault inside the value. */
function loosened(column: unknown, keyword: string | undefined, value: string): unknown {
  if (!isObject(column)) return column === true ? column : {}
  const types = typesOf(column)
  const type = columnTypeOf(value)
  const fits = types === undefined || admits(types, type)
  if (keyword === 'additionalProperties' || (keyword === 'type' && types)) {
    // The first means that an older schema did not have the column.
    return fits ? column : { ...column, type: typeKeyword(new Set([...types, type])) }
  }
  if (keyword !== undefined && keyword in column) {
    const { [keyword]: _broken, ...rest } = column
    return rest
  }
  const kept = Object.entries(column).filter(([name]) => name === 'type' || NOTES.includes(name))
  if (kept.length === Object.keys(column).length) return column
  return Object.fromEntries(kept)
}
