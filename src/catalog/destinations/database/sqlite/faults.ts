import { DomainError } from '../../../../kernel/errors.ts'
import { SourceBusy } from '../../../connectors/connector.ts'
import { RowFault, ShapeFault } from '../connection.ts'

/** SQLite's primary result codes, by what they mean here. */
const BUSY = new Set([5, 6])
const PASSES = new Set([...BUSY, 7, 9, 10, 13])
const OF_ROWS = new Set([18, 19, 20])
const OF_SHAPE = new Set([1, 17])

function codeOf(error: unknown): number | undefined {
  const { errcode } = error as { errcode?: number }
  return errcode === undefined ? undefined : errcode & 0xff
}

/** Whether somebody else has the database at this moment. */
export function isBusy(error: unknown): boolean {
  const code = codeOf(error)
  return code !== undefined && BUSY.has(code)
}

/** A failure of SQLite as one that callers know; `path` is the database's file. */
export function sqliteFault(error: unknown, path: string): Error {
  const code = codeOf(error)
  const { message } = error as Error
  if (code === undefined) return error as Error
  if (PASSES.has(code)) return new SourceBusy(`${path}: ${message}`)
  if (OF_ROWS.has(code)) return rowFault(code, message)
  if (OF_SHAPE.has(code)) return new ShapeFault(message)
  return wrong(`${path}: ${message}`)
}

/** `NOT NULL constraint failed: table.column`; of a table whose name has a dot the column is behind the last one. */
function rowFault(code: number, message: string): RowFault {
  const one = /^(?:NOT NULL constraint failed: |cannot store \w+ value in \w+ column )[^,]*\.([^.,]+)$/.exec(message)
  const isValue = code !== 19 || message.startsWith('cannot store')
  return new RowFault(isValue ? 'INVALID_VALUE' : 'CONSTRAINT_VIOLATION', message, one?.[1] ?? null)
}

export function wrong(message: string): DomainError {
  const field = 'destination.url'
  return new DomainError('VALIDATION_ERROR', `${field}: ${message}`, { details: [{ field, message }] })
}
