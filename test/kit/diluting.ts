import {
  type AddedRow,
  type DilutionConfig,
  type DilutionReport,
  type Row,
  startDilution,
} from '../../src/domain/dilution.ts'
import { addRecord, createQuality } from '../../src/domain/quality-state.ts'
import type { JsonSchema } from '../../src/domain/schema.ts'

export const DILUTION: DilutionConfig = {
  ...{ ratio: 0.5, matchingFields: ['category', 'region'], threshold: 0.8, seed: '1' },
}

export interface Sets {
  readonly [id: string]: readonly Row[]
}

/** A dilution from the first row to the report. */
export function diluted(
  config: DilutionConfig,
  source: readonly Row[],
  sets: Sets,
  schema?: JsonSchema,
): { added: AddedRow[]; report: DilutionReport } {
  const dilution = startDilution(config, schema)
  for (const row of source) dilution.source(row)
  const all = Object.entries(sets).map(([id, rows]) => {
    const state = createQuality()
    for (const { data } of rows) addRecord(state, data)
    return { id, state, rows }
  })
  dilution.plan(all)
  for (const set of all) for (const row of set.rows) dilution.count(set, row)
  const added = all.flatMap(set => set.rows.flatMap(row => dilution.pick(set, row) ?? []))
  return { added, report: dilution.report() }
}

export const row = (id: string, data: object): Row => ({ id, data: JSON.stringify(data) })
