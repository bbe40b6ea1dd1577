import { z } from 'zod'
import { DomainError } from '../../../kernel/errors.ts'

/*
 * What a run keeps with each page: how far earlier runs have come, and its own place. It is in an event for every page,
 * so it is small and has no secrets in it.
 */

/** A value of the cursor field, and the fingerprints of the rows that have it, one after the other. */
const group = z.tuple([z.string(), z.string()])
const groups = z.array(group)

/** How far the rows of an endpoint are known. */
const cursor = z.strictObject({
  field: z.string(),
  value: z.string(),
  /** The rows at the value, and within the lag before it. */
  known: groups.default([]),
})

const at = z.strictObject({
  /** The endpoint, as it is named in logs. */
  endpoint: z.string(),
  /** Pages of it that are done. */
  page: z.int().min(0),
  /** What its pagination asks for next; left out at the first page. */
  place: z.unknown().optional(),
  /** How many rows of that page are done, with their fingerprint. */
  done: z.strictObject({ rows: z.int().min(1), hash: z.string() }).optional(),
  /** A fingerprint of the page before. */
  last: z.string().optional(),
  /** Rows that the endpoints before have given. */
  rows: z.int().min(0).default(0),
  /** Rows that this endpoint has given. */
  given: z.int().min(0).default(0),
  /** Rows of this endpoint that were known and left out. */
  dropped: z.int().min(0).default(0),
  calls: z.int().min(0).default(0),
  /** The greatest value up to now, and new rows at it. */
  reached: z.strictObject({ value: z.string(), known: groups }).optional(),
  /** Cursors of the endpoints that are done. They count once the run is complete. */
  ended: z.record(z.string(), cursor).default({}),
})

const state = z.strictObject({
  cursors: z.record(z.string(), cursor).default({}),
  /** Where the run is; left out before it, and `end` when all is read. */
  at: z.union([at, z.literal('end')]).optional(),
})

export type Group = z.output<typeof group>
export type Cursor = z.output<typeof cursor>
export type Cursors = Readonly<Record<string, Cursor>>
export type At = z.output<typeof at>
export type RestState = z.output<typeof state>

/** The state that was kept, or that somebody has set. Throws a VALIDATION_ERROR for what is none. */
export function readState(given: unknown): RestState {
  if (given === undefined || given === null) return { cursors: {} }
  const { success, data, error } = state.safeParse(given)
  if (success) return data
  const details = error.issues.map(({ path, message }) => ({ field: ['state', ...path].join('.'), message }))
  throw new DomainError('VALIDATION_ERROR', `${details[0]!.field}: ${details[0]!.message}`, { details })
}
