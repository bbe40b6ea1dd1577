import { isUtf8 } from 'node:buffer'
import { z } from 'zod'
import type { Resolution } from '../domain/conflict.ts'
import { DomainError, invalid } from '../kernel/errors.ts'
import { JsonError, skipMembers, wholeValue } from '../kernel/json.ts'
import { encodePosition, mergePositions, type Position } from '../kernel/position.ts'
import type { Row } from '../kernel/projection.ts'
import { conflicts } from '../projections/conflicts.ts'
import type { Moment } from '../store/store.ts'
import { asOfThen } from './moment.ts'
import { reach } from './reach.ts'
import type { Services } from './services.ts'

const RECORDS = 'sync.records'
const CONFLICTS = 'sync.conflicts'
/** What conflicts are read from: a record's conflict is found when the record is projected. */
export const CONFLICT_TOPICS = [RECORDS, CONFLICTS]

const name = z.string().min(1).max(512)
/** Which conflicts are asked for. */
export const conflictFilter = z.strictObject({
  status: z.enum(['open', 'resolved']).optional(),
  dataset: name.optional(),
  record_id: name.optional(),
  type: z.enum(['version', 'concurrent_field', 'delete_update', 'insert_insert']).optional(),
})

const RESOLUTIONS = ['accept_incoming', 'keep_current', 'merge'] as const
const OPEN = 123

/** A place that includes every conflict that was found so far: projectors tell of them when the records are in the rows. */
async function placeOfFound({ log }: Services): Promise<Position> {
  const places = log.streams(CONFLICTS).map(async stream => log.place(stream, await log.written(stream)))
  return (await Promise.all(places)).reduce(mergePositions)
}

/** Waits for what was found so far; an answer about the past is for ever, so it is given with all of it or not at all. */
async function reachFound(services: Services, asOf: Moment | undefined): Promise<void> {
  const found = await placeOfFound(services)
  await (asOf ? services.progress.wait(found, [CONFLICTS]) : reach(services, CONFLICTS, found))
}

/** The conflict of this id, also one that was found just now. Throws NOT_FOUND. */
export async function findConflict(services: Services, id: string, asOf?: Moment): Promise<Row> {
  await reachFound(services, asOf)
  const [row] = await services.store.load(conflicts, [[id]], asOf)
  if (!row) throw new DomainError('NOT_FOUND', `there is no conflict ${id.slice(0, 100)}${asOfThen(asOf)}`)
  return row
}

/** A page of the conflicts whose columns equal what is asked, in the order of their ids. */
export async function conflictsPage(
  services: Services,
  asked: { equal: Record<string, string>; after: string | undefined; limit: number; asOf?: Moment | undefined },
): Promise<readonly Row[]> {
  const { equal, after, limit, asOf } = asked
  await reachFound(services, asOf)
  return services.store.page({ table: conflicts, equal, limit, asOf, ...(after === undefined ? {} : { after }) })
}

function timeText(time: unknown): string | null {
  return time === null ? null : new Date(time as number).toISOString()
}

/** The place of the record that was in conflict. */
export function placeOfConflict({ log }: Services, { record_stream, record_offset }: Row): Position {
  const stream = log.streams(RECORDS).find(({ name }) => name === record_stream)!
  return log.place(stream, record_offset as number)
}

/** A conflict as the API shows it, but for its sides and its place. */
export function shownConflict(row: Row): Record<string, unknown> {
  const { id, dataset, record_id, type, status, resolution, policy, source, request_id, job_id } = row
  return {
    ...{ id, dataset, record_id, type, status, resolution, policy, fields: JSON.parse(row.fields as string) },
    ...{ source, current_version: row.current_version, incoming_version: row.incoming_version },
    ...{ current_updated_at: row.current_updated_at, incoming_updated_at: row.incoming_updated_at },
    ...{ request_id, job_id, detected_at: timeText(row.detected_at) },
    ...{ resolved_by: row.resolved_by, resolved_at: timeText(row.resolved_at) },
    ...{ reopened_by: row.reopened_by, reopened_at: timeText(row.reopened_at) },
  }
}

/** A conflict as JSON text: both sides as they were pushed, so that no number is rounded. Its place is its record's unless said. */
export function conflictJson(services: Services, row: Row, position = placeOfConflict(services, row)): string {
  const { id, dataset, record_id, type, status, ...more } = shownConflict(row)
  const head = JSON.stringify({ id, dataset, record_id, type, status })
  const rest = JSON.stringify({ position: encodePosition(position), ...more })
  return `${head.slice(0, -1)},"current":${row.current},"incoming":${row.incoming},${rest.slice(1)}`
}

export interface Decision {
  readonly resolution: Resolution
  /** JSON text, for a merge. */
  readonly data: string | undefined
}

/** What the body of a resolution asks for, its `data` as its text stands. Throws VALIDATION_ERROR naming the field. */
export function readDecision(body: Buffer, maxDepth: number): Decision {
  let resolution: unknown
  let data: string | undefined
  try {
    const { start } = wholeValue(body, 0, body.length, maxDepth + 1)
    if (!isUtf8(body)) throw invalid('body', 'it is not valid UTF-8')
    if (body[start] !== OPEN) throw invalid('body', 'expected an object with resolution')
    skipMembers(body, start, body.length, maxDepth + 1, (keyStart, keyEnd, from, to) => {
      const name: string = JSON.parse(body.toString('utf8', keyStart, keyEnd))
      const text = body.toString('utf8', from, to)
      if (name === 'resolution') resolution = JSON.parse(text)
      else if (name !== 'data')
        throw invalid(name.slice(0, 100), 'this field is not known here; a resolution has resolution and data')
      else if (body[from] !== OPEN && text !== 'null') throw invalid('data', 'expected a JSON object')
      else data = text === 'null' ? undefined : text
    })
  } catch (error) {
    if (!(error instanceof JsonError)) throw error
    throw new DomainError('VALIDATION_ERROR', `the body is not JSON: ${error.message}`)
  }
  return decisionOf(resolution, data)
}

/** A decision that was asked for; `data` is an object as JSON text. Throws VALIDATION_ERROR naming the field. */
export function decisionOf(given: unknown, data: string | undefined): Decision {
  const resolution = RESOLUTIONS.find(each => each === given)
  if (!resolution) {
    const got = given === undefined ? '' : `, got ${JSON.stringify(given).slice(0, 60)}`
    throw invalid('resolution', `expected one of ${RESOLUTIONS.join(', ')}${got}`)
  }
  if (resolution === 'merge' && data === undefined) throw invalid('data', 'a merge needs the data of the merged record')
  if (resolution !== 'merge' && data !== undefined) throw invalid('data', `${resolution} takes no data; a merge does`)
  return { resolution, data }
}
