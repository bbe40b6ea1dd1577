import { z } from 'zod'
import { DomainError } from '../../../../kernel/errors.ts'
import { typeOf, unquoted } from '../../../../kernel/members.ts'
import { paramName, pointer } from '../texts.ts'

/**
 * A way to ask for one page after the other. A place is what is known before a page is asked for; it is kept in the
 * run's state, so that asking can go on there. To add one: a file here with such an object, and a line in index.ts.
 */
export interface Pagination<Config extends z.ZodObject = z.ZodObject, Place = unknown> {
  readonly type: string
  readonly summary: string
  /** What a job says under `pagination`, `type` included. */
  readonly config: Config
  readonly place: z.ZodType<Place>
  first(config: z.output<Config>): Place
  request(config: z.output<Config>, place: Place): PageRequest
  /** JSON pointer to what `next` wants to know of an answer. */
  wants?(config: z.output<Config>): string
  /** Field of the last row that `next` wants to know. */
  wantsOfRow?(config: z.output<Config>): string
  /** The place after a page; undefined at the end. Throws a DomainError when the page leads nowhere. */
  next(config: z.output<Config>, place: Place, page: SeenPage): Place | undefined
  /** What names a place. One that comes again is a loop. Left out where a place counts on by itself. */
  token?(place: Place): string | undefined
  /**
   * Whether a place was gone to only to be sure that there is nothing: what came before was shorter than asked for. A
   * page that came before already then means that the source has one page.
   */
  isProbe?(place: Place): boolean
  /** Whether a refusal with this status, behind the first page, says that the end was passed. */
  isPast?(place: Place, status: number): boolean
}

/** What a request has besides what the endpoint says. */
export interface PageRequest {
  /** Instead of the endpoint's own address and parameters. */
  readonly url?: string
  /** JSON texts of parameters. */
  readonly params?: Readonly<Record<string, string>>
}

export interface SeenPage {
  /** How many rows it has, refused ones included. */
  readonly rows: number
  /** How many rows there are in all, when the source says so. */
  readonly total: number | undefined
  /** The JSON text of what `wants` points to. */
  readonly wanted: string | undefined
  /** The JSON text of the field that `wantsOfRow` names, of the last row that is an object. */
  readonly ofLastRow: string | undefined
  /** The Link header. */
  readonly link: string
  /** An address in the answer as it is kept: whole, and without the credentials of this job. */
  resolve(address: string): string
}

export const limitFields = {
  limit_param: paramName.default('limit'),
  limit: z.int().min(1).max(1_000_000).optional(),
}

export const totalFields = {
  total_path: pointer.optional(),
  total_header: z.string().min(1).max(200).optional(),
}

/** The limit as a parameter. */
export function limitParams(config: { limit_param: string; limit?: number | undefined }): Record<string, string> {
  return config.limit === undefined ? {} : { [config.limit_param]: String(config.limit) }
}

const MAX_TOKEN = 8000

/**
 * What an answer says of the next page, as JSON text: a text or a number; undefined when there is none: nothing, null,
 * false or an empty text.
 */
export function tokenOf(json: string | undefined, where: string): string | undefined {
  if (json === undefined || json === 'null' || json === 'false' || json === '""') return undefined
  const type = typeOf(json)
  if (type !== 'string' && type !== 'number')
    throw new DomainError('VALIDATION_ERROR', `${where}: expected text, a number or nothing, found ${type}`)
  if (json.length <= MAX_TOKEN) return json
  throw new DomainError('VALIDATION_ERROR', `${where}: has ${json.length} characters, more than ${MAX_TOKEN}`)
}

export function plainText(json: string): string {
  return typeOf(json) === 'string' ? unquoted(json) : json
}

export function definePagination<Config extends z.ZodObject, Place>(pagination: Pagination<Config, Place>): Pagination {
  return pagination as unknown as Pagination
}
