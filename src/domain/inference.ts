import { membersOf, unquoted } from '../kernel/members.ts'
import { FORMATS, type Format, hasFormat } from './formats.ts'
import { type ColumnType, columnTypeOf, DRAFT, type JsonSchema, MAX_NAME, typeKeyword } from './schema.ts'

export interface InferenceLimits {
  /** Columns past this many are left out. */
  readonly columns: number
  /** Rows past this many are not looked at. */
  readonly rows: number
}

/** What rows say about their schema, one after the other. */
export interface Inference {
  /** Looks at a row, the JSON text of an object that has been checked; false when enough rows have been seen. */
  add(json: string): boolean
  /** Rows looked at so far. */
  readonly rows: number
  /** Whether there were more columns than it may have. */
  readonly leftOut: boolean
  /** The schema of the rows so far. */
  schema(): JsonSchema
}

interface Column {
  rows: number
  types: Set<ColumnType>
  /** Formats that every text so far has. */
  formats: readonly Format[]
}

/**
 * Infers a JSON Schema from rows. A column has the types its values have: integer as long as all numbers are written
 * without a point or exponent, else number; null beside another type makes it optional in value. It is required when every row
 * has it, and has a format when every text has it. A column that is only null has no type yet.
 */
export function startInference(limits: InferenceLimits): Inference {
  const columns = new Map<string, Column>()
  let rows = 0
  let leftOut = false

  function look(name: string, value: string): void {
    let column = columns.get(name)
    if (!column) {
      // Validators do not check a property of that name.
      if (columns.size >= limits.columns || name.length > MAX_NAME || name === '__proto__') {
        leftOut = true
        return
      }
      column = { rows: 0, types: new Set(), formats: FORMATS }
      columns.set(name, column)
    }
    column.rows++
    const type = columnTypeOf(value)
    column.types.add(type)
    if (type !== 'string' || column.formats.length === 0) return
    const text = unquoted(value)
    column.formats = column.formats.filter(format => hasFormat(text, format))
  }

  return {
    get rows() {
      return rows
    },
    get leftOut() {
      return leftOut
    },
    add(json) {
      if (rows >= limits.rows) return false
      rows++
      for (const [name, value] of membersOf(json)) look(name, value)
      return true
    },
    schema() {
      const properties = Object.fromEntries([...columns].map(([name, column]) => [name, schemaOf(column)]))
      const required = [...columns].filter(([, column]) => column.rows === rows).map(([name]) => name)
      return { $schema: DRAFT, type: 'object', properties, ...(required.length > 0 ? { required } : {}) }
    },
  }
}

/** The schema of these rows. */
export function inferSchema(rows: Iterable<string>, limits: InferenceLimits): JsonSchema {
  const inference = startInference(limits)
  for (const row of rows) if (!inference.add(row)) break
  return inference.schema()
}

function schemaOf({ types, formats }: Column): JsonSchema {
  if (types.size === 1 && types.has('null')) return {}
  const [format] = types.has('string') ? formats : []
  return { type: typeKeyword(types), ...(format ? { format } : {}) }
}
