import { DomainError, invalid } from '../kernel/errors.ts'
import { encodePosition } from '../kernel/position.ts'
import type { Row } from '../kernel/projection.ts'
import { records } from '../projections/records.ts'
import { PAGE_BYTES, rowBytes } from '../store/store.ts'
import { originOf, placeOfRecord } from './records.ts'
import { cursorAfter } from './routes/pages.ts'
import type { Services } from './services.ts'

/** Where a page of versions ended: the place of its last one, its number, and whether that was a removal. */
interface After {
  readonly offset: number
  readonly version: number
  readonly deleted: boolean
}

const CURSOR = /^(\d{1,15})\.(\d{1,15})\.([01])$/

/** Reads the cursor of a page of versions. Throws VALIDATION_ERROR. */
export function readAfter(key: string | undefined): After | undefined {
  if (key === undefined) return undefined
  const [, offset, version, deleted] = CURSOR.exec(key) ?? []
  if (offset === undefined) throw invalid('cursor', 'it is not a cursor that this list gave out')
  return { offset: Number(offset), version: Number(version), deleted: deleted === '1' }
}

/** A version of a record. */
export interface Version {
  readonly row: Row
  /** create, update or delete; null when that is not known any more. */
  readonly operation: string | null
  readonly position: string
}

/**
 * A record's versions that are kept, the oldest first. Throws NOT_FOUND when there never was such a record, and GONE when
 * versions after the cursor are no longer kept.
 */
export async function versionsPage(
  services: Services,
  dataset: string,
  id: string,
  after: After | undefined,
  limit: number,
): Promise<{ versions: Version[]; more: boolean; earliest: { version: number; position: string } | null }> {
  const { store } = services
  // First: if it is followed meanwhile, it is among the earlier ones as well, and left out there.
  const [current] = await store.load(records, [[dataset, id]])
  if (!current)
    throw new DomainError('NOT_FOUND', `there never was a record ${id.slice(0, 200)} in data set ${dataset}`)
  const earlier = { table: records.versions, equal: { dataset, id } }
  const from = after === undefined ? {} : { after: String(after.offset) }
  const [kept, [first = current]] = await Promise.all([
    store.page({ ...earlier, ...from, limit }),
    store.page({ ...earlier, limit: 1 }),
  ])
  const past = kept.filter(({ offset }) => (offset as number) < (current.offset as number))
  const full = past.length === limit || past.reduce((sum, row) => sum + rowBytes(row), 0) >= PAGE_BYTES
  const beyond = after !== undefined && after.offset >= (current.offset as number)
  const rows = full || beyond ? past : [...past, current]
  const next = rows[0]
  if (after && next && next.version !== after.version + 1) throw gone(services, id, after, next)
  const versions = rows.map((row, i) => {
    const operation = operationOf(row, i > 0 ? rows[i - 1]!.deleted === 1 : after?.deleted)
    return { row, operation, position: positionOf(services, row) }
  })
  const position = positionOf(services, first)
  const earliest = first.version === 1 ? null : { version: first.version as number, position }
  return { versions, more: full && rows.length > 0, earliest }
}

/** The same as JSON text. */
export async function versionsJson(...asked: Parameters<typeof versionsPage>): Promise<string> {
  const { versions, more, earliest } = await versionsPage(...asked)
  const next_cursor = more ? cursorOfVersion(versions.at(-1)!) : null
  return `{"items":[${versions.map(versionJson).join(',')}],${JSON.stringify({ next_cursor, earliest }).slice(1)}`
}

/** The cursor of the page that begins after a version. */
export function cursorOfVersion({ row }: Version): string {
  return cursorAfter(`${row.offset as number}.${row.version as number}.${row.deleted as number}`)
}

function positionOf(services: Services, row: Row): string {
  return encodePosition(placeOfRecord(services, row))
}

/** What was done can only be told of one whose version before is known, or that is the first. */
function operationOf({ version, deleted }: Row, afterRemoval: boolean | undefined): string | null {
  if (deleted === 1) return 'delete'
  if (version === 1 || afterRemoval) return 'create'
  return afterRemoval === undefined ? null : 'update'
}

function versionJson({ row, operation, position }: Version): string {
  const { version, data, updated_at } = row
  const head = JSON.stringify({ version, operation })
  const rest = JSON.stringify({ updated_at, ...originOf(row), position })
  return `${head.slice(0, -1)},"data":${data},${rest.slice(1)}`
}

function gone(services: Services, id: string, after: After, next: Row): DomainError {
  const place = `version ${next.version} at ${positionOf(services, next)}`
  const message = `the versions of record ${id.slice(0, 200)} after ${after.version} are no longer kept; the earliest is ${place}`
  return new DomainError('GONE', `cursor: ${message}`, { details: [{ field: 'cursor', message }] })
}
