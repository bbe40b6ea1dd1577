import { inferSchema } from '../domain/inference.ts'
import type { JsonSchema } from '../domain/schema.ts'

/** The JSON Schema that these rows, JSON texts of objects, would fit; columns past `maxColumns` are left out. */
export function offerSchema(rows: readonly string[], maxColumns: number): JsonSchema {
  return inferSchema(rows, { columns: maxColumns, rows: rows.length })
}
