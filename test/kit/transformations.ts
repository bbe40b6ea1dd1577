import { compileTransformations, type TransformationLimits } from '../../src/catalog/transformations/index.ts'

/** Bounds wide enough for any example. */
export const LIMITS: TransformationLimits = {
  transformations: 50,
  rowLength: 1_048_576,
  computeMs: 10_000,
  dedupeKeys: 100_000,
}

/** One run of a list of `{type, config}`. */
export function run(...list: { type: string; config?: unknown }[]) {
  return compileTransformations(list, 'transformations', LIMITS)()
}
