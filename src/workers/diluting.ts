import type { Diluting, DilutionAsked } from '../catalog/connectors/connector.ts'
import { type DilutionLimits, type DilutionSet, startDilution } from '../domain/dilution.ts'
import { addRecord, createQuality } from '../domain/quality-state.ts'
import type { JsonSchema } from '../domain/schema.ts'

export type { DilutionLimits }

/** Columns that are named of those that the source has none for. */
const SHOWN = 50

/** A dilution of the domain's as a connector works with it: what has been seen of each set is kept here. */
export function startDiluting(asked: DilutionAsked, schema: JsonSchema | undefined, limits: DilutionLimits): Diluting {
  const dilution = startDilution(asked, schema, limits)
  const sets = new Map<string, DilutionSet>()

  function setOf(id: string): DilutionSet {
    let set = sets.get(id)
    if (!set) {
      set = { id, state: createQuality() }
      sets.set(id, set)
    }
    return set
  }

  return {
    source: record => dilution.source(record),
    look: (set, { data }) => addRecord(setOf(set).state, data),
    plan: () => dilution.plan([...sets.values()]),
    count: (set, record) => dilution.count(setOf(set), record),
    pick: (set, record) => dilution.pick(setOf(set), record),
    report() {
      const { columns, original_records, diluted_records, final_records, shortfall, ...rest } = dilution.report()
      const left_out = Object.entries(columns).map(([set, plan]) => {
        const names = plan.columns.filter(({ to }) => to === null).map(({ column }) => column)
        return [set, names.slice(0, SHOWN)]
      })
      return {
        ...{ original_records, diluted_records, final_records, shortfall },
        quality_improvement: rest.quality_improvement,
        passed_over: rest.passed_over,
        left_out: Object.fromEntries(left_out),
        not_convertible: rest.not_convertible,
      }
    },
  }
}
