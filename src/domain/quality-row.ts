import { eachMember, unquoted } from '../kernel/members.ts'
import type { ColumnProfile } from './quality-profile.ts'
import { spelling } from './quality-state.ts'
import { agrees, BLANK, NULL, readValue, seen } from './quality-values.ts'

const BROKEN = 2

/**
 * A row's own score, from 0 to 1, by what the columns of a data set are (`profileOf`): the share of the columns in which
 * it has a value that is of the right type and written as most are; 0 of a row that breaks a rule, as its verdict has it.
 * `data` is JSON text that has been checked.
 */
export function rowQuality(columns: ReadonlyMap<string, ColumnProfile>, data: string, verdict = 0): number {
  if (verdict % 3 === BROKEN) return 0
  if (columns.size === 0) return 1
  const good = new Set<string>()
  eachMember(data, (nameStart, nameEnd, start) => {
    const name = unquoted(spelling(data.slice(nameStart, nameEnd)))
    const column = columns.get(name)
    if (!column) return true
    readValue(data, start)
    const { type, shape } = seen
    const missing = type === NULL || type === BLANK
    const otherwise = shape >= 0 && column.shape >= 0 && !agrees(shape, column.shape)
    // Of two values with one name the later counts.
    if (missing || !column.admits[type] || otherwise) good.delete(name)
    else good.add(name)
    return true
  })
  return good.size / columns.size
}
