import type { Augmenter } from './augmenter.ts'
import { backTranslation } from './back-translation.ts'
import { noise } from './noise.ts'
import { randomDeletion } from './random-deletion.ts'
import { randomSwap } from './random-swap.ts'
import { type AugmentLimits, type Request, readRequest } from './request.ts'
import { synonymReplacement } from './synonym-replacement.ts'

export type { Augmenter, Reason } from './augmenter.ts'
export { type Facts, type FactsLook, lookAtColumns, type Told } from './columns.ts'
export { type AugmentLimits, type Request, toldBy } from './request.ts'
export {
  type AugmentContext,
  type AugmentRun,
  type AugmentState,
  type MadeRow,
  type SourceRow,
  startAugmenting,
} from './run.ts'
export type { Translator } from './translators/translator.ts'

/** Every strategy there is: a strategy a file, a line here. */
export const augmenters: readonly Augmenter[] = [
  synonymReplacement,
  backTranslation,
  randomSwap,
  randomDeletion,
  noise,
] as readonly unknown[] as readonly Augmenter[]

/** Reads what a request has under `field`, with all strategies there are; see readRequest. */
export function readAugmentation(
  given: unknown,
  field: string,
  limits: AugmentLimits,
  hasTranslator: boolean,
): Request {
  return readRequest(given, field, limits, augmenters, hasTranslator)
}
