import { membersOf, objectText, quoted, typeOf, unquoted } from '../kernel/members.ts'
import type { ColumnProfile } from './quality-profile.ts'
import { isCutName } from './quality-state.ts'
import { BOOLEAN, INTEGER, NUMBER, STRING } from './quality-values.ts'

/** What becomes of one column of a data set when its rows go into another. */
export interface ColumnPlan {
  readonly column: string
  /** What it is called there; null where it is left out. */
  readonly to: string | null
  /** The only type of single values that it has there, if there is one: values become it where they can. */
  readonly wanted: Wanted | null
  /** The same, where the column is of another type here: a value that cannot become it does not go there. */
  readonly converted: Wanted | null
  readonly why: string | null
}

export interface Reconciliation {
  readonly columns: readonly ColumnPlan[]
  /** Columns of the other data set that this one has none for. */
  readonly missing: readonly string[]
}

/** A row as the other data set has them, or the column whose value cannot be had there without loss. */
export type Reconciled = { readonly data: string } | { readonly column: string; readonly why: string }

type Wanted = 'number' | 'integer' | 'string' | 'boolean'

/**
 * How the columns of `from` go into those of `to`: by the same name, or by the one that is the same but for capitals and
 * signs between words (customerId, customer_id, "Customer ID"), when it is one only. `mayHave` says of a name that is not in
 * `to` whether there may be such a column all the same.
 */
export function reconcile(
  from: ReadonlyMap<string, ColumnProfile>,
  to: ReadonlyMap<string, ColumnProfile>,
  mayHave: (name: string) => boolean = () => false,
): Reconciliation {
  const byPlainName = Map.groupBy(to.keys(), plainName)
  const taken = new Set([...from.keys()].filter(name => to.has(name)))
  const plans: ColumnPlan[] = []
  for (const [column, profile] of from) {
    const alike = byPlainName.get(plainName(column)) ?? []
    const other = alike.length === 1 && !taken.has(alike[0]!) && !isCutName(alike[0]!) ? alike[0]! : null
    const name = to.has(column) ? column : other
    if (name === null) {
      plans.push(unplanned(column, mayHave(column)))
      continue
    }
    taken.add(name)
    const wanted = onlyType(to.get(name)!)
    const had = onlyType(profile)
    const isSame = had === null || wanted === null || had === wanted || (isNumeric(had) && isNumeric(wanted))
    const converted = isSame ? null : wanted
    const why = converted ? `${had} becomes ${wanted}` : name === column ? null : 'the same name, spelt otherwise'
    plans.push({ column, to: name, wanted, converted, why })
  }
  return { columns: plans, missing: [...to.keys()].filter(name => !taken.has(name)) }
}

/** What becomes of a column that is in no plan, because there are more columns than are looked at. */
export function unplanned(column: string, stays: boolean): ColumnPlan {
  const why = stays ? 'there are more columns than are looked at' : 'the source has no such column'
  return { column, to: stays ? column : null, wanted: null, converted: null, why }
}

/** What becomes of a column that is in no plan, and goes into the one of its name. */
export function intoSame(column: string, profile: ColumnProfile): ColumnPlan {
  return { column, to: column, wanted: onlyType(profile), converted: null, why: null }
}

function plainName(name: string): string {
  return name.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '')
}

/** The type of its single values, when they may have one only. */
function onlyType({ admits }: Pick<ColumnProfile, 'admits'>): Wanted | null {
  const isNumber = admits[NUMBER] || admits[INTEGER]
  if ([isNumber, admits[STRING], admits[BOOLEAN]].filter(Boolean).length !== 1) return null
  if (isNumber) return admits[NUMBER] ? 'number' : 'integer'
  return admits[STRING] ? 'string' : 'boolean'
}

function isNumeric(type: Wanted): boolean {
  return type === 'number' || type === 'integer'
}

/** Makes a row of one data set one of the other, its columns in its own order; `data` is JSON text that has been checked. */
export function reconciled(planOf: (column: string) => ColumnPlan, data: string): Reconciled {
  const has = new Map<string, string>()
  for (const [column, value] of membersOf(data)) {
    const { column: known, to, wanted, converted } = planOf(column)
    if (to === null) continue
    const text = wanted === null || value === 'null' ? value : convertedTo(value, wanted)
    if (text === undefined && converted !== null) return { column, why: `${shortened(value)} is no ${converted}` }
    has.set(to === known ? column : to, text ?? value)
  }
  return { data: objectText(has) }
}

const DECIMAL = /^-?(?:0|[1-9]\d*)(?:\.\d+)?$/
const WHOLE = /^-?(?:0|[1-9]\d*)$/

/** A value as another type, undefined when it would not be the same value there. */
function convertedTo(value: string, type: Wanted): string | undefined {
  const had = typeOf(value)
  if (had === type || (had === 'number' && type === 'integer' && WHOLE.test(value))) return value
  if (type === 'string') return had === 'number' || had === 'boolean' ? quoted(value) : undefined
  if (had !== 'string') return undefined
  const said = unquoted(value)
  // It is missing, as null is.
  if (said.trim() === '') return value
  if (type === 'boolean') return said === 'true' || said === 'false' ? said : undefined
  // As it stands: "007" and "1e5" are no numbers but codes.
  return (type === 'integer' ? WHOLE : DECIMAL).test(said) ? said : undefined
}

function shortened(value: string): string {
  return value.length > 40 ? `${value.slice(0, 40)}…` : value
}
