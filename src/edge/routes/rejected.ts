import { z } from 'zod'
import type { Tally } from '../../intake/intake.ts'
import { DomainError } from '../../kernel/errors.ts'
import { timeOrderedId } from '../../kernel/id.ts'
import { encodePosition, isTotal, mergePositions, type Position } from '../../kernel/position.ts'
import type { Row } from '../../kernel/projection.ts'
import { rejections, replays } from '../../projections/rejections.ts'
import type { ReadStore } from '../../threads/store.ts'
import { check, readBody } from '../body.ts'
import { fingerprintOf } from '../idempotency/fingerprint.ts'
import { once } from '../idempotency/once.ts'
import { reach, reachMinPosition } from '../reach.ts'
import { type Mend, readMend, replay as sendAgain } from '../rejections.ts'
import type { Reply, Request, Route } from '../router.ts'
import { cursorAfter, cursorOf, limitOf } from './pages.ts'
import { answer, summary } from './push.ts'

/** What these routes read is made of. */
const REPLAYS = 'sync.replays'
const TOPICS = ['sync.rejected', REPLAYS]
const RECORDS = 'sync.records'

const time = z.iso.datetime({ offset: true })
const name = z.string().min(1).max(512)

/** What rejections are asked for by: the names of the fields they show. */
const filterFields = {
  source: name.optional(),
  dataset: name.optional(),
  stage: name.optional(),
  code: name.optional(),
  record_id: name.optional(),
  job_id: name.optional(),
  webhook_id: name.optional(),
  request_id: name.optional(),
  status: z.enum(['open', 'replayed']).optional(),
  since: time.optional(),
  until: time.optional(),
}
const filterSchema = z.strictObject(filterFields)
type Filter = z.infer<typeof filterSchema>

/** Rejections that are looked at for one page, so that a rare status does not make one request read all there are. */
const MOST_LOOKED_AT = 20_000
/** The first and the last id of a millisecond: ids begin with their time. */
const NONE = new Uint8Array(12)
const ALL = new Uint8Array(12).fill(31)

/** Milliseconds since 1970; ids know nothing earlier. */
function since1970(time: string): number {
  return Math.max(0, Date.parse(time))
}

function equalColumns({ status, since, until, ...equal }: Filter): Record<string, string> {
  return Object.fromEntries(Object.entries(equal).filter(([, value]) => value !== undefined)) as Record<string, string>
}

interface Found {
  readonly row: Row
  readonly replay: Row | undefined
}

/** Rejections that fit a filter, in the order they were made, and where the next ones begin. */
async function find(
  store: ReadStore,
  filter: Filter,
  limit: number,
  after: string | undefined,
): Promise<{ found: Found[]; next: string | null }> {
  const found: Found[] = []
  const first = filter.since ? timeOrderedId('rej', since1970(filter.since), NONE) : ''
  let from = after !== undefined && after > first ? after : first
  const before = filter.until ? timeOrderedId('rej', since1970(filter.until), ALL) : undefined
  for (let looked = 0; ; ) {
    const page = { table: rejections, equal: equalColumns(filter), limit, after: from }
    const rows = (await store.page(page)).filter(({ id }) => before === undefined || (id as string) <= before)
    if (rows.length === 0) return { found, next: null }
    const done = new Map(
      (
        await store.load(
          replays,
          rows.map(({ id }) => [id!]),
        )
      ).map(row => [row.id, row]),
    )
    for (const row of rows) {
      from = row.id as string
      const replay = done.get(row.id!)
      if (filter.status !== undefined && (filter.status === 'replayed') !== (replay !== undefined)) continue
      found.push({ row, replay })
      if (found.length === limit) return { found, next: cursorAfter(from) }
    }
    looked += rows.length
    if (looked >= MOST_LOOKED_AT) return { found, next: cursorAfter(from) }
  }
}

function placeOf({ services: { log } }: Request, topic: string, row: Row): Position {
  const stream = log.streams(topic).find(({ name }) => name === row.stream)!
  return log.place(stream, row.offset as number)
}

/**
 * What the place of a replay is told with, so that it includes the record: in a log of one order nothing, for the record
 * comes before the note; on Kafka the end of all records, where its own is not known any more.
 */
async function placeOfRecords({ services: { log } }: Request, found: readonly Found[]): Promise<Position> {
  const nothing = { log: log.id, offsets: new Map() }
  if (!found.some(({ replay }) => replay) || isTotal(log.place(log.streams(RECORDS)[0]!, 0))) return nothing
  return { log: log.id, offsets: await log.ends(RECORDS) }
}

/** Rejections as the API shows them. */
async function shown(request: Request, found: readonly Found[]): Promise<object[]> {
  const records = await placeOfRecords(request, found)
  return found.map(({ row, replay }) => {
    const { id, dataset, source, stage, code, field, message, value, record_id, original, original_encoding } = row
    const replayed = replay && mergePositions(placeOf(request, REPLAYS, replay), records)
    return {
      ...{ id, dataset, source, stage, code, field, message, value, record_id },
      status: replay ? 'replayed' : 'open',
      ...{ original, original_encoding, original_bytes: row.original_bytes },
      ...{ job_id: row.job_id, webhook_id: row.webhook_id, request_id: row.request_id, line: row.line },
      created_at: new Date(row.at as number).toISOString(),
      position: encodePosition(placeOf(request, 'sync.rejected', row)),
      ...(replayed ? { replay: { position: encodePosition(replayed) } } : {}),
    }
  })
}

async function findOne({ services: { store } }: Request, id: string): Promise<Found> {
  const [row] = await store.load(rejections, [[id]])
  if (!row) throw new DomainError('NOT_FOUND', `there is no rejection ${id.slice(0, 100)}`)
  const [replay] = await store.load(replays, [[id]])
  return { row, replay }
}

const list: Route = {
  method: 'GET',
  path: '/rejected',
  auth: 'sync:read',
  limit: 'api',
  async handle(request) {
    const { exchange, services } = request
    const limit = limitOf(exchange)
    const asked = Object.fromEntries(
      Object.keys(filterFields).flatMap(key => {
        const text = exchange.query.get(key)
        return text === null ? [] : [[key, text]]
      }),
    )
    const filter = check(asked, filterSchema)
    const after = cursorOf(exchange)
    await reachMinPosition(request, TOPICS)
    const { found, next } = await find(services.store, filter, limit, after)
    return { status: 200, body: { items: await shown(request, found), next_cursor: next } }
  },
}

const one: Route = {
  method: 'GET',
  path: '/rejected/:id',
  auth: 'sync:read',
  limit: 'api',
  async handle(request) {
    await reachMinPosition(request, TOPICS)
    const [item] = await shown(request, [await findOne(request, request.params.id!)])
    return { status: 200, body: item! }
  },
}

/** Sends a refused row in again. Rejects with NOT_FOUND, CONFLICT, and VALIDATION_ERROR when it is still bad. */
export async function replayRejection(request: Request, given: string, mend: Mend) {
  const { row, replay } = await findOne(request, given)
  if (replay) throw new DomainError('CONFLICT', `${row.id} was replayed already`)
  const place = await sendAgain(request, row, mend)
  await reach(request.services, REPLAYS, place)
  return { id: row.id as string, position: encodePosition(place) }
}

const replayOne: Route = {
  method: 'POST',
  path: '/rejected/:id/replay',
  auth: 'sync:write',
  limit: 'push',
  async handle(request) {
    const { exchange, services, params } = request
    const { lineBytes, jsonDepth } = services.config
    const body = await exchange.body(2 * lineBytes)
    await reachMinPosition(request, TOPICS)
    return once(request, fingerprintOf(exchange, [], body), async () => {
      const mend = readMend(body, jsonDepth)
      const { id, position } = await replayRejection(request, params.id!, mend)
      return {
        status: 200,
        body: { request_id: exchange.requestId, id, status: 'replayed', replay: { position }, position },
      }
    })
  },
}

/** Commands under way at once: as many as a decider takes in one append. */
const AT_ONCE = 100

/** Replays every open rejection that fits, and answers like a batch whose rows are these. */
async function replayAll(request: Request, filter: Filter): Promise<Reply> {
  const { services } = request
  const started = Date.now()
  const tally: Tally = { accepted: 0, rejected: 0, errors: [], position: undefined }
  let index = 0
  const sendOne = async ({ row }: Found) => {
    const place = index++
    try {
      const position = await sendAgain(request, row, {})
      tally.accepted++
      tally.position = tally.position ? mergePositions(tally.position, position) : position
    } catch (error) {
      if (!(error instanceof DomainError) || error.code === 'UNAVAILABLE') throw error
      tally.rejected++
      const [detail] = error.details
      const why = { field: detail?.field ?? null, code: error.code, message: error.message, retryable: false }
      if (tally.errors.length < 100) tally.errors.push({ index: place, id: row.id as string, ...why })
    }
  }
  const inTurn = async (each: readonly Found[]) => {
    for (const one of each) await sendOne(one)
  }
  for (let after: string | undefined, left = services.config.batchRecords; left > 0; left -= AT_ONCE) {
    const { found, next } = await find(services.store, { ...filter, status: 'open' }, AT_ONCE, after)
    // Rows of one record in their order, others side by side.
    const byRecord = Map.groupBy(found, ({ row }) => `${row.dataset}\0${row.record_id ?? row.id}`)
    await Promise.all([...byRecord.values()].map(inTurn))
    if (next === null) break
    after = Buffer.from(next, 'base64url').toString()
  }
  if (tally.position) await reach(services, REPLAYS, tally.position)
  // Nothing that fits is no fault.
  if (index === 0) return { status: 200, body: summary(request, tally, started) }
  return answer(request, tally, started)
}

const replayMany: Route = {
  method: 'POST',
  path: '/rejected/replay',
  auth: 'sync:write',
  limit: 'push',
  async handle(request) {
    const { exchange } = request
    const body = await exchange.body(65_536)
    const filter = await readBody(
      exchange,
      filterSchema.omit({ status: true }).extend({ status: z.literal('open').optional() }),
      { limit: 65_536 },
    )
    await reachMinPosition(request, TOPICS)
    return once(request, fingerprintOf(exchange, [], body), () => replayAll(request, filter))
  },
}

export const rejected: readonly Route[] = [list, replayMany, one, replayOne]
