import type { Projection } from '../kernel/projection.ts'
import { conflictsProjection } from './conflicts.ts'
import { jobsProjection } from './jobs.ts'
import { recordsProjection } from './records.ts'
import { rejectionsProjection } from './rejections.ts'
import { settingsProjection } from './settings.ts'

// biome-ignore lint/suspicious/noExplicitAny: each projection knows its own events, and what it puts out
export type AnyProjection = Projection<any, any>

/** Every read model in the read store: a projection a file, a line here. A topic is read by one of them. */
export const projections: readonly AnyProjection[] = [
  recordsProjection,
  conflictsProjection,
  settingsProjection,
  rejectionsProjection,
  jobsProjection,
] as readonly AnyProjection[]

/** The topics that the read store is made of. */
export const projectedTopics: readonly string[] = projections.flatMap(({ topics }) => topics)
