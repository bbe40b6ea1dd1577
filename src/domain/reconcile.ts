import { membersOf, objectText, quoted, typeOf, unquoted } from '../kernel/members.ts'
import type { ColumnProfile } from './quality-profile.ts'

/** What becomes of one column of a data set when its rows go into another. */
export interface ColumnPlan {
  readonly column: string
  /** What it is called there; null where it is left out. */
  readonly to: string | null
  /** The type its values become, where it is another. */
  readonly converted: 'number' | 'string' | 'boolean' | null
  readonly why: string | null
}

export interface Reconciliation {
  readonly columns: readonly ColumnPlan[]
  /** Columns of the other data set that this one has none for. */
  readonly missing: readonly string[]
}

/** A row as the other data set has them, or the column whose value cannot be had there without loss. */
export type Reconciled = { readonly data: string } | { readonly column: string; readonly why: string }

const CONVERTIBLE = ['number', 'string', 'boolean'] as const
type Convertible = (typeof CONVERTIBLE)[number]

/**
 * How the columns of `from` go into those of `to`: by the same name, or by the one that is the same but for capitals and
 * signs between words (customerId, customer_id, "Customer ID"), when it is one only.
 */
export function reconcile(
  from: ReadonlyMap<string, ColumnProfile>,
  to: ReadonlyMap<string, ColumnProfile>,
): Reconciliation {
  const byPlainName = Map.groupBy(to.keys(), plainName)
  const taken = new Set([...from.keys()].filter(name => to.has(name)))
  const plans: ColumnPlan[] = []
  for (const [column, profile] of from) {
    const alike = byPlainName.get(plainName(column)) ?? []
    const name = to.has(column) ? column : alike.length === 1 && !taken.has(alike[0]!) ? alike[0]! : null
    if (name === null) {
      plans.push({ column, to: null, converted: null, why: 'the source has no such column' })
      continue
    }
    taken.add(name)
    const [had, wanted] = [profile.expected, to.get(name)!.expected]
    const converted = had !== wanted && isConvertible(had) && isConvertible(wanted) ? wanted : null
    const why = converted ? `${had} becomes ${wanted}` : name === column ? null : 'the same name, spelt otherwise'
    plans.push({ column, to: name, converted, why })
  }
  return { columns: plans, missing: [...to.keys()].filter(name => !taken.has(name)) }
}

function plainName(name: string): string {
  return name.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '')
}

function isConvertible(type: string): type is Convertible {
  return (CONVERTIBLE as readonly string[]).includes(type)
}

/** Makes a row of one data set one of the other, its columns in its own order; `data` is JSON text that has been checked. */
export function reconciled(plans: ReadonlyMap<string, ColumnPlan>, data: string): Reconciled {
  const has = new Map<string, string>()
  for (const [column, value] of membersOf(data)) {
    const plan = plans.get(column)
    if (!plan || plan.to === null) continue
    const text = plan.converted === null || value === 'null' ? value : convertedTo(value, plan.converted)
    if (text === undefined) return { column, why: `${shortened(value)} is no ${plan.converted}` }
    has.set(plan.to, text)
  }
  return { data: objectText(has) }
}

/** A value as another type, undefined when it would not be the same value there. */
function convertedTo(value: string, type: Convertible): string | undefined {
  const had = typeOf(value)
  if (had === type) return value
  if (type === 'string') return had === 'number' || had === 'boolean' ? quoted(value) : undefined
  if (had !== 'string') return undefined
  const said = unquoted(value)
  if (type === 'boolean') return said === 'true' || said === 'false' ? said : undefined
  // As it stands: "007" and "1e5" are no numbers but codes.
  return /^-?(?:0|[1-9]\d*)(?:\.\d+)?$/.test(said) ? said : undefined
}

function shortened(value: string): string {
  return value.length > 40 ? `${value.slice(0, 40)}…` : value
}
