import { chanceOf, hashText52 } from '../kernel/chance.ts'
import { DomainError, invalid } from '../kernel/errors.ts'
import { fingerprint } from '../kernel/hash.ts'
import { membersOf } from '../kernel/members.ts'
import { createFilter, createSeen } from '../kernel/seen.ts'
import { choose, type Quota, spread } from './dilution-groups.ts'
import { type Quality, qualityOf } from './quality.ts'
import { profileOf } from './quality-profile.ts'
import { rowQuality } from './quality-row.ts'
import { addRecord, columnName, createQuality, isLookedAt, type QualityState } from './quality-state.ts'
import { mergeQuality } from './quality-texts.ts'
import { hashRecord, readValue, seen } from './quality-values.ts'
import { type ColumnPlan, intoSame, type Reconciliation, reconcile, reconciled, unplanned } from './reconcile.ts'
import type { JsonSchema } from './schema.ts'

export interface DilutionConfig {
  /** Rows to add for each row of the source, 0 to 1. */
  readonly ratio: number
  /** Fields whose values, all together, a row must share with a row of the source. */
  readonly matchingFields: readonly string[]
  /** Least score of a row that is added. */
  readonly threshold: number
  readonly seed: string
}

/** A data set that rows are taken from: its id and what has been counted of it. */
export interface DilutionSet {
  readonly id: string
  readonly state: QualityState
}

export interface Row {
  readonly id: string
  /** JSON text of an object that has been checked. */
  readonly data: string
  /** Of a row that may be added: how it was judged beside its data (verdictOf). One that breaks a rule is not. */
  readonly verdict?: number
}

export interface AddedRow {
  readonly id: string
  readonly data: string
  readonly origin: {
    readonly dataset_id: string
    readonly record_id: string
    readonly strategy: 'dilution'
    readonly seed: string
  }
}

/** Why rows of the dilution sets were passed over. */
export type PassedOver = 'no_match' | 'below_threshold' | 'not_convertible' | 'duplicate'

export interface DilutionReport {
  readonly original_records: number
  readonly diluted_records: number
  readonly final_records: number
  /** Rows that were asked for and were not to be had. */
  readonly shortfall: number
  /** The output's score less the source's. */
  readonly quality_improvement: number
  readonly source_quality: Quality
  readonly output_quality: Quality
  readonly groups: number
  readonly passed_over: Readonly<Record<PassedOver, number>>
  /** By dilution set: what became of its columns. */
  readonly columns: Readonly<Record<string, Reconciliation>>
  /** Why values could not be had, a few of them. */
  readonly not_convertible: readonly string[]
}

/**
 * A dilution, in three passes over pages, wherever those are cut: the source (`source`), the dilution sets one after the
 * other to count what there is (`count`), and the same in the same order to choose (`pick`). The same rows and seed give
 * the same choice. What is kept is a count for each group, and hashes: see DilutionLimits.
 */
export interface Dilution {
  source(row: Row): void
  /** After the source: plans how the sets' columns become those of the source. */
  plan(sets: readonly DilutionSet[]): void
  count(set: DilutionSet, row: Row): void
  /** The row as it goes into the output, when it is chosen. */
  pick(set: DilutionSet, row: Row): AddedRow | undefined
  report(): DilutionReport
}

export interface DilutionLimits {
  /** Most different values of the matching fields. */
  readonly groups: number
  /** Most rows of which it is remembered that there are such already; of more, some may be added that are there. */
  readonly remembered: number
}

const LIMITS: DilutionLimits = { groups: 200_000, remembered: 1_000_000 }
const FILTER_BYTES = 64 * 1024 * 1024
/** Different rows that are counted exactly: what dilution gains is less than what a small sample is wrong by. */
export const SAMPLED = 32_768
const MAX_EXAMPLES = 20
const LONGEST_ID = 200

export function startDilution(
  { ratio, matchingFields, threshold, seed }: DilutionConfig,
  schema?: JsonSchema,
  limits: DilutionLimits = LIMITS,
): Dilution {
  const groups = new Map<number, Quota & { available: number }>()
  const source = createQuality(SAMPLED)
  const taken = createQuality(SAMPLED)
  const sourceRows: number[] = []
  const fieldsSeen = new Set<string>()
  const passedOver: Record<PassedOver, number> = { no_match: 0, below_threshold: 0, not_convertible: 0, duplicate: 0 }
  const examples: string[] = []
  const plans = new Map<string, Reconciliation>()
  const planOf = new Map<string, (column: string) => ColumnPlan>()
  const ids = createFilter(FILTER_BYTES)
  let remembered = createSeen(limits.remembered)
  let columns = profileOf(source, schema)
  let phase: 'source' | 'count' | 'pick' = 'source'
  let wanted = 0
  let added = 0

  /** The group that a row's data is of; undefined for one that lacks a matching field, or has null there. */
  function groupOf(data: string): number | undefined {
    const members = membersOf(data)
    let key = ''
    for (const field of matchingFields) {
      const value = members.get(field)
      if (value === undefined || value === 'null') return undefined
      readValue(value, 0)
      key += `${seen.high} ${seen.low}\n`
    }
    return hashText52(key)
  }

  /** Whether the source may have a column that is not among its `columns`. */
  const mayHave = (column: string) => !isLookedAt(source, column)

  /** What becomes of a column of a set that has more than are looked at. */
  function planLate(column: string): ColumnPlan {
    const name = columnName(column)
    const profile = columns.get(name)
    return profile ? intoSame(name, profile) : unplanned(name, mayHave(column))
  }

  /** A row as it would go into the output, and its group; or why it does not. */
  function eligible(set: DilutionSet, row: Row): { data: string; group: number } | PassedOver {
    const made = reconciled(planOf.get(set.id)!, row.data)
    if (!('data' in made)) {
      if (phase === 'count' && examples.length < MAX_EXAMPLES) examples.push(`${set.id}, ${made.column}: ${made.why}`)
      return 'not_convertible'
    }
    const group = groupOf(made.data)
    if (group === undefined || !groups.has(group)) return 'no_match'
    if (rowQuality(columns, made.data, row.verdict) < threshold) return 'below_threshold'
    return remembered.add(hashRecord(made.data)) ? { data: made.data, group } : 'duplicate'
  }

  /** Before each pass over the dilution sets: the source's rows are there already. */
  function rememberSource(): void {
    remembered = createSeen(limits.remembered)
    for (const hash of sourceRows) remembered.add(hash)
  }

  function ownId(set: DilutionSet, id: string): string {
    let own = id
    while (ids.has(hashText52(own)))
      own = own.length > LONGEST_ID ? `${set.id}:${fingerprint(own)}` : `${set.id}:${own}`
    ids.add(hashText52(own))
    return own
  }

  return {
    source(row) {
      addRecord(source, row.data)
      ids.add(hashText52(row.id))
      if (sourceRows.length < limits.remembered) sourceRows.push(hashRecord(row.data))
      for (const field of matchingFields) {
        if (!fieldsSeen.has(field) && membersOf(row.data).has(field)) fieldsSeen.add(field)
      }
      const group = groupOf(row.data)
      if (group === undefined || groups.has(group)) return
      if (groups.size === limits.groups) {
        const message = `have more than ${limits.groups} different values together: name fields with fewer`
        throw invalid('config.matching_fields', message)
      }
      groups.set(group, { available: 0, wanted: 0, passed: 0, chosen: 0 })
    },
    plan(sets) {
      if (source.records === 0) throw invalid('source_dataset_id', 'the data set has no records')
      const unknown = matchingFields.find(field => !fieldsSeen.has(field))
      if (unknown !== undefined) throw invalid('config.matching_fields', `no record of the source has "${unknown}"`)
      columns = profileOf(source, schema)
      for (const { id, state } of sets) {
        const plan = reconcile(profileOf(state), columns, mayHave)
        plans.set(id, plan)
        const known = new Map(plan.columns.map(each => [each.column, each]))
        planOf.set(id, column => known.get(column) ?? known.get(columnName(column)) ?? planLate(column))
      }
      const has = ({ id, state }: DilutionSet, field: string) =>
        plans.get(id)!.columns.some(({ to }) => to === columnName(field)) || !isLookedAt(state, field)
      if (!sets.some(set => matchingFields.every(field => has(set, field)))) {
        const message = `no dilution data set has ${matchingFields.map(field => `"${field}"`).join(', ')}`
        throw invalid('config.matching_fields', message)
      }
      phase = 'count'
      wanted = Math.round(ratio * source.records)
      rememberSource()
    },
    count(set, row) {
      if (phase !== 'count')
        throw new DomainError('INTERNAL_ERROR', 'rows are counted after the plan and before the choice')
      const found = eligible(set, row)
      if (typeof found === 'string') passedOver[found]++
      else groups.get(found.group)!.available++
    },
    pick(set, row) {
      if (phase === 'count') {
        phase = 'pick'
        spread(groups.values(), wanted)
        rememberSource()
      }
      const found = eligible(set, row)
      if (typeof found === 'string') return undefined
      if (!choose(groups.get(found.group)!, chanceOf(seed, set.id, row.id).share())) return undefined
      addRecord(taken, found.data)
      added++
      const origin = { dataset_id: set.id, record_id: row.id, strategy: 'dilution', seed } as const
      return { id: ownId(set, row.id), data: found.data, origin }
    },
    report() {
      const sourceQuality = qualityOf(source, schema)
      const outputQuality = qualityOf(mergeQuality([source, taken]), schema)
      const improvement = outputQuality.quality_score - sourceQuality.quality_score
      return {
        original_records: source.records,
        diluted_records: added,
        final_records: source.records + added,
        shortfall: wanted - added,
        quality_improvement: Math.round(improvement * 10_000) / 10_000,
        source_quality: sourceQuality,
        output_quality: outputQuality,
        groups: groups.size,
        passed_over: { ...passedOver },
        columns: Object.fromEntries(plans),
        not_convertible: examples,
      }
    },
  }
}
