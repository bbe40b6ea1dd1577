import type { RecordPushed } from '../events/index.ts'
import { invalid } from '../kernel/errors.ts'
import { laterOf } from '../kernel/instant.ts'
import { mergePositions, type Position } from '../kernel/position.ts'
import type { Row } from '../kernel/projection.ts'
import { writtenUnder } from '../log/commands.ts'
import { conflictKey } from '../projections/conflict-news.ts'
import { recordKey } from '../projections/records.ts'
import { type Decision, findConflict } from './conflicts.ts'
import { reach } from './reach.ts'
import type { Request } from './router.ts'

const RECORDS = 'sync.records'

/** A conflict as it stands after a command, and a place that includes what that did. */
export interface Decided {
  readonly row: Row
  readonly position: Position
}

/** Decides a conflict. Rejects with NOT_FOUND, CONFLICT when it is resolved, VALIDATION_ERROR for data that is not wanted. */
export async function decideConflict(request: Request, id: string, decision: Decision): Promise<Decided> {
  const row = await findConflict(request.services, id)
  const position = await sendDecision(request, row, decision)
  return decided(request, row, { status: 'resolved', resolution: decision.resolution }, position)
}

/** Takes a decision back. Rejects with NOT_FOUND, CONFLICT when it is open. */
export async function reopenConflict(request: Request, id: string): Promise<Decided> {
  const { exchange, services, principal } = request
  const row = await findConflict(services, id)
  const by = { actor: principal.id, requestId: exchange.requestId }
  const data = { conflict_id: row.id as string, born: bornOf(row) }
  const position = await services.commands.send(conflictKey(data.conflict_id), { type: 'ReopenConflict', data }, by)
  return decided(request, row, { status: 'open', resolution: null }, position)
}

/** `known` is what is known of it already. */
async function decided({ services }: Request, row: Row, known: Row, position: Position): Promise<Decided> {
  // The next read sees it: the record here, the conflict where it is found again.
  await reach(services, RECORDS, position)
  const now = await findConflict(services, row.id as string)
  // A read model that lags behind does not make it undone.
  return { row: { ...now, ...known }, position }
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
function bornOf({ policy_resolution }: Row): 'open' | 'resolved' {
  return policy_resolution === null ? 'open' : 'resolved'
}

/** Resolves with a place that includes the decision and the record. */
async function sendDecision(request: Request, row: Row, decision: Decision): Promise<Position> {
  const { services, principal, exchange } = request
  const [dataset, id, conflict_id] = [row.dataset, row.record_id, row.id] as [string, string, string]
  const data = decision.data === undefined ? undefined : await asWanted(request, dataset, decision.data)
  const side = sideOf(row, { ...decision, data })
  const made = { version: null, updated_at: side.updated_at, upsert: true }
  const record: RecordPushed = {
    ...{ dataset, id, op: side.data === null ? 'delete' : 'upsert', data: side.data ?? 'null', ...made },
    ...{ source: side.source, actor: principal.id, request_id: exchange.requestId, line: 0 },
    ...{ received_at: Date.now(), job_id: null, origin: null, conflict: services.rules.conflictOf(dataset, made) },
    keeps_rules: side.data === null ? null : (services.rules.ruleCheck(dataset)?.(side.data) ?? null),
  }
  const key = recordKey(dataset, id)
  const asked = { conflict_id, born: bornOf(row), resolution: decision.resolution, record, key }
  const by = { actor: principal.id, requestId: exchange.requestId }
  const command = { type: 'ResolveConflict' as const, data: asked }
  const decided = await services.commands.send(conflictKey(conflict_id), command, by)
  return mergePositions(decided, services.completePosition(await writtenUnder(services.log, RECORDS, key)))
}
