import { isUtf8 } from 'node:buffer'
import type { Resolution } from '../domain/conflict.ts'
import type { RecordPushed } from '../events/index.ts'
import { DomainError, invalid } from '../kernel/errors.ts'
import { laterOf } from '../kernel/instant.ts'
import { JsonError, skipMembers, wholeValue } from '../kernel/json.ts'
import { encodePosition, mergePositions, type Position } from '../kernel/position.ts'
import type { Row } from '../kernel/projection.ts'
import { writtenUnder } from '../log/commands.ts'
import { conflictKey } from '../projections/conflict-news.ts'
import { conflicts } from '../projections/conflicts.ts'
import { recordKey } from '../projections/records.ts'
import { reach } from './reach.ts'
import type { Request } from './router.ts'
import type { Services } from './services.ts'

const RECORDS = 'sync.records'
const CONFLICTS = 'sync.conflicts'
const RESOLUTIONS = ['accept_incoming', 'keep_current', 'merge'] as const
const OPEN = 123

/** A place that includes every conflict that was found so far: projectors tell of them when the records are in the rows. */
export async function placeOfFound({ log }: Services): Promise<Position> {
  const places = log.streams(CONFLICTS).map(async stream => log.place(stream, await log.written(stream)))
  return (await Promise.all(places)).reduce(mergePositions)
}

/** The conflict of this id, also one that was found just now. Throws NOT_FOUND. */
export async function findConflict(services: Services, id: string): Promise<Row> {
  await reach(services, CONFLICTS, await placeOfFound(services))
  const [row] = await services.store.load(conflicts, [[id]])
  if (!row) throw new DomainError('NOT_FOUND', `there is no conflict ${id.slice(0, 100)}`)
  return row
}

function timeText(time: unknown): string | null {
  return time === null ? null : new Date(time as number).toISOString()
}

function positionOf({ log }: Services, { record_stream, record_offset }: Row): Position {
  const stream = log.streams(RECORDS).find(({ name }) => name === record_stream)!
  return log.place(stream, record_offset as number)
}

/** A conflict as JSON text: both sides as they were pushed, so that no number is rounded. Its place is its record's unless said. */
export function conflictJson(services: Services, row: Row, position = positionOf(services, row)): string {
  const { id, dataset, record_id, type, status, resolution, policy, source, request_id, job_id } = row
  const head = JSON.stringify({ id, dataset, record_id, type, status })
  const rest = JSON.stringify({
    ...{ position: encodePosition(position), resolution, policy, fields: JSON.parse(row.fields as string) },
    ...{ source, current_version: row.current_version, incoming_version: row.incoming_version },
    ...{ current_updated_at: row.current_updated_at, incoming_updated_at: row.incoming_updated_at },
    ...{ request_id, job_id, detected_at: timeText(row.detected_at) },
    ...{ resolved_by: row.resolved_by, resolved_at: timeText(row.resolved_at) },
    ...{ reopened_by: row.reopened_by, reopened_at: timeText(row.reopened_at) },
  })
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
  return checked(resolution, data)
}

function checked(given: unknown, data: string | undefined): Decision {
  const resolution = RESOLUTIONS.find(each => each === given)
  if (!resolution) {
    const got = given === undefined ? '' : `, got ${JSON.stringify(given).slice(0, 60)}`
    throw invalid('resolution', `expected one of ${RESOLUTIONS.join(', ')}${got}`)
  }
  if (resolution === 'merge' && data === undefined) throw invalid('data', 'a merge needs the data of the merged record')
  if (resolution !== 'merge' && data !== undefined) throw invalid('data', `${resolution} takes no data; a merge does`)
  return { resolution, data }
}

/** The side of a conflict that a decision is for, as the record that it becomes. */
function sideOf(row: Row, { resolution, data }: Decision) {
  const [current, incoming] = [row.current_updated_at, row.incoming_updated_at] as [string | null, string | null]
  const source = row.source as string
  if (resolution === 'accept_incoming') return { data: row.incoming as string | null, updated_at: incoming, source }
  if (resolution === 'merge') return { data: data!, updated_at: laterOf(current, incoming), source }
  const own = (row.current_source as string | null) ?? source
  return { data: row.current as string | null, updated_at: current, source: own }
}

/** Merged data as the data set wants its rows: like pushed ones, but they were transformed when they came. */
async function asWanted({ services, principal, exchange }: Request, dataset: string, data: string): Promise<string> {
  const { rules, grow, config } = services
  const taken = rules.require(dataset, data, { validate: true, transform: false })
  const bytes = Buffer.byteLength(taken.data)
  if (bytes > config.lineBytes) throw invalid('data', `it has ${bytes} bytes, more than ${config.lineBytes}`)
  if (taken.growth) await grow(dataset, taken.growth, { actor: principal.id, requestId: exchange.requestId })
  return taken.data
}

/** How a conflict was left by its policy. */
export function bornOf({ policy_resolution }: Row): 'open' | 'resolved' {
  return policy_resolution === null ? 'open' : 'resolved'
}

/** Decides a conflict; resolves with a place that includes the decision and the record. Rejects with CONFLICT. */
export async function resolveConflict(request: Request, row: Row, decision: Decision): Promise<Position> {
  const { services, principal, exchange } = request
  const [dataset, id, conflict_id] = [row.dataset, row.record_id, row.id] as [string, string, string]
  const data = decision.data === undefined ? undefined : await asWanted(request, dataset, decision.data)
  const side = sideOf(row, { ...decision, data })
  const made = { version: null, updated_at: side.updated_at, upsert: true }
  const record: RecordPushed = {
    ...{ dataset, id, op: side.data === null ? 'delete' : 'upsert', data: side.data ?? 'null', ...made },
    ...{ source: side.source, actor: principal.id, request_id: exchange.requestId, line: 0 },
    ...{ received_at: Date.now(), job_id: null, conflict: services.rules.conflictOf(dataset, made) },
  }
  const key = recordKey(dataset, id)
  const asked = { conflict_id, born: bornOf(row), resolution: decision.resolution, record, key }
  const by = { actor: principal.id, requestId: exchange.requestId }
  const command = { type: 'ResolveConflict' as const, data: asked }
  const decided = await services.commands.send(conflictKey(conflict_id), command, by)
  return mergePositions(decided, services.completePosition(await writtenUnder(services.log, RECORDS, key)))
}
