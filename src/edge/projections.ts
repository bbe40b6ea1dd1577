import type { RebuildRequested } from '../events/index.ts'
import { DomainError } from '../kernel/errors.ts'
import { encodePosition, isTotal, mergePositions, type Position } from '../kernel/position.ts'
import { newId } from '../log/new-id.ts'
import { eventsAfter } from '../log/progress.ts'
import { type AnyProjection, projections } from '../projections/index.ts'
import type { Rebuilds } from '../projections/rebuilds.ts'
import type { Generation } from '../store/generations.ts'
import type { Request } from './router.ts'
import type { Services } from './services.ts'

/** What of the services it takes to show projections. */
type Parts = Pick<Services, 'log' | 'progress' | 'rebuilds' | 'store'>

/** A projection as the API shows it. */
export interface ShownProjection {
  readonly name: string
  /** Includes everything that its rows do. */
  readonly position: string
  /** Events that are not in its rows yet. */
  readonly lag: number
  /** The version of the code that has made the rows. */
  readonly version: number
  readonly rebuild: ShownRebuild | null
  readonly last_rebuild: ShownOutcome | null
}

/** A rebuild under way: `progress` in percent, null while it has not begun; `lag` the events it has yet to take in. */
export interface ShownRebuild {
  readonly id: string
  readonly state: 'queued' | 'filling' | 'comparing' | 'swapping'
  readonly progress: number | null
  readonly lag: number | null
  readonly reason: string
  readonly requested_at: string
  readonly started_at: string | null
}

export interface ShownOutcome {
  readonly id: string
  readonly state: 'completed' | 'failed'
  readonly reason: string
  readonly requested_at: string
  readonly ended_at: string
  /** What the comparison with the rows from before has found; null for one that failed. */
  readonly compared: object | null
  readonly error: string | null
}

/** The projection of this name. Throws NOT_FOUND naming those there are. */
export function findProjection(name: string): AnyProjection {
  const found = projections.find(each => each.name === name)
  if (found) return found
  const names = projections.map(each => each.name).join(', ')
  throw new DomainError('NOT_FOUND', `there is no projection ${name.slice(0, 100)}; there are ${names}`)
}

/** Has a projection rebuilt. Rejects with NOT_FOUND, and CONFLICT when a rebuild is under way. */
export async function requestRebuild({ exchange, services, principal }: Request, given: string) {
  const projection = findProjection(given)
  const { name } = projection
  const rebuild_id = newId('reb', 16)
  const command = { type: 'RequestRebuild' as const, data: { rebuild_id, projection: name, reason: 'asked' } }
  const by = { actor: principal.id, requestId: exchange.requestId }
  const position = await services.commands.send(`projection/${name}`, command, by)
  await services.rebuilds.reached(position)
  const rebuild = await shownRebuild(services, projection, rebuild_id)
  return { name, position: encodePosition(position), rebuild }
}

/** Every projection, with how far it is and its rebuild. */
export async function shownProjections(parts: Parts): Promise<ShownProjection[]> {
  const all = await parts.store.generations()
  return Promise.all(projections.map(each => shownOf(parts, each, all)))
}

/** One projection, with how far it is and its rebuild. */
export async function shownProjection(parts: Parts, projection: AnyProjection): Promise<ShownProjection> {
  return shownOf(parts, projection, await parts.store.generations())
}

/** A rebuild that was asked for just now, though it may be over by the time. */
async function shownRebuild(parts: Parts, projection: AnyProjection, id: string): Promise<ShownRebuild | null> {
  const known = parts.rebuilds.view.get(projection.name)
  const asked = [known?.underWay, known?.last?.asked].find(each => each?.rebuild_id === id)
  return rebuildOf(asked, await parts.store.generations())
}

async function shownOf(parts: Parts, projection: AnyProjection, all: readonly Generation[]): Promise<ShownProjection> {
  const { log, progress, rebuilds } = parts
  const { name, topics } = projection
  const known = rebuilds.view.get(name)
  const generations = all.filter(each => each.projection === name)
  return {
    name,
    position: encodePosition(placeOf(parts, topics)),
    lag: await eventsAfter(log, topics, progress.reached),
    version: generations.find(({ state }) => state === 'live')?.version ?? projection.version,
    rebuild: rebuildOf(known?.underWay, generations),
    last_rebuild: outcomeOf(known),
  }
}

/** How far the rows are: in a log with one order as far as the topic that is behind the others. */
function placeOf({ log, progress }: Parts, topics: readonly string[]): Position {
  const places = topics
    .flatMap(topic => log.streams(topic))
    .map(stream => log.place(stream, progress.reached.get(stream.name) ?? -1))
  if (!isTotal(places[0]!)) return places.reduce(mergePositions)
  const [least] = places.sort((a, b) => [...a.offsets.values()][0]! - [...b.offsets.values()][0]!)
  return least!
}

function rebuildOf(underWay: RebuildRequested | undefined, generations: readonly Generation[]): ShownRebuild | null {
  if (!underWay) return null
  const { rebuild_id, reason, at } = underWay
  const asked = { id: rebuild_id, reason, requested_at: new Date(at).toISOString() }
  const made = generations.find(({ rebuild, state }) => rebuild === rebuild_id && state !== 'old')
  if (!made || made.state === 'old') return { ...asked, state: 'queued', progress: null, lag: null, started_at: null }
  const started_at = new Date(made.startedAt!).toISOString()
  // It is in its place, and that has yet to be told.
  if (made.state === 'live') return { ...asked, state: 'swapping', progress: 100, lag: 0, started_at }
  const { state, done, total } = made
  const progress = total === 0 ? 0 : Math.round((done / total) * 1000) / 10
  return { ...asked, state, progress, lag: total - done, started_at }
}

function outcomeOf(known: Rebuilds | undefined): ShownOutcome | null {
  if (!known?.last) return null
  const { asked, outcome } = known.last
  const [requested_at, ended_at] = [asked.at, outcome.at].map(at => new Date(at).toISOString()) as [string, string]
  const told = { id: asked.rebuild_id, reason: asked.reason, requested_at, ended_at }
  if ('error' in outcome) return { ...told, state: 'failed', compared: null, error: outcome.error }
  const { version, version_before, rows, differing, gone, compared } = outcome
  const found = { version, version_before, rows, differing, gone, tables: JSON.parse(compared) }
  return { ...told, state: 'completed', compared: found, error: null }
}
