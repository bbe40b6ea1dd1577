import { DomainError } from '../../../kernel/errors.ts'
import { JsonError, type Span } from '../../../kernel/json.ts'
import type { FormatLimits } from '../../formats/format.ts'
import { type Scanned, scanBody } from './body.ts'
import type { Endpoint } from './endpoint.ts'
import type { Answer } from './http/client.ts'
import { MayPass } from './http/may-pass.ts'
import { excerpt, statusOf, typeOf } from './http/patience.ts'
import { plainText } from './paginations/pagination.ts'
import type { Redactor } from './redact.ts'

/** An answer as a page of rows. */
export interface Page {
  readonly body: Buffer
  /** Where the rows are: an array, or an object that is one. Left out when there are none. */
  readonly data: Span | undefined
  readonly rows: number
  readonly lastObject: Span | undefined
  readonly total: number | undefined
  /** What the pagination wants of the body. */
  readonly wanted: string | undefined
  readonly link: string
  readonly url: URL
}

interface Asked {
  readonly endpoint: Endpoint
  /** Whether an answer that has nothing where rows should be has none. */
  readonly mayLackRows: boolean
  /** Whether a refusal with this status says that there are no pages any more. */
  readonly isPast: (status: number) => boolean
  readonly limits: FormatLimits
  readonly redactor: Redactor
}

const EXCERPT = 100
const [ARRAY, OBJECT, NULL] = [91, 123, 110]

/**
 * Reads an answer; `past` when it says that there are no more pages. Throws a DomainError for a refusal and for what is
 * no page, and MayPass for one that was cut off.
 */
export function readPage(answer: Answer, asked: Asked): Page | 'past' {
  const { status, headers, url, body } = answer
  const { endpoint, mayLackRows, isPast, redactor } = asked
  if (isPast(status)) return 'past'
  if (status < 200 || status > 299) throw refused(`it answered ${statusOf(answer, redactor)}`)
  const { paging, config } = endpoint
  const told = { link: textOf(headers.link) ?? '', url }
  const ofHeader = paging.total_header && textOf(headers[paging.total_header.toLowerCase()])
  if (status === 204 || status === 205) {
    const nothing = { rows: 0, data: undefined, lastObject: undefined, wanted: undefined }
    return { body, ...nothing, total: countOf(ofHeader), ...told }
  }
  const scanned = scan(answer, asked)
  const { data, names } = scanned
  if (data === undefined && !mayLackRows) throw nothingAt(config.data_path, names)
  const kind = data && body[data.start]
  if (kind !== undefined && kind !== ARRAY && kind !== OBJECT && kind !== NULL) {
    const found = excerpt(body.subarray(data!.start, data!.end), EXCERPT, redactor)
    throw refused(`data_path: expected an array or an object at "${config.data_path}", found ${found}`)
  }
  const [wanted, total] = scanned.values
  const { rows, lastObject } = scanned
  return {
    body,
    data: rows === 0 ? undefined : data,
    rows,
    lastObject,
    wanted,
    total: countOf(total ?? ofHeader),
    ...told,
  }
}

function scan(answer: Answer, { endpoint, limits, redactor }: Asked): Scanned {
  const { body, status } = answer
  const { pagination, paging, config } = endpoint
  const pointers = [pagination.wants?.(paging), paging.total_path]
  try {
    return scanBody(body, config.data_path, pointers, limits.maxDepth)
  } catch (error) {
    if (!(error instanceof JsonError)) throw error
    const type = typeOf(answer, redactor)
    const begins = excerpt(body, EXCERPT, redactor)
    if (begins === '') throw new MayPass(`it answered ${status} with nothing in it`)
    if (!/^[{["\-0-9tfn]/.test(begins)) throw refused(`it answered ${status} with ${type} instead of JSON: ${begins}`)
    // An escape or a word that is cut off is seen at its first byte, a string that is not closed at its quote.
    const isCut = error.at > body.length - 8 || error.message.startsWith('a string is not closed')
    if (isCut) throw new MayPass(`its answer is cut off after ${body.length} bytes: ${error.message}`)
    throw refused(`it answered ${status} with ${type} that is no JSON: ${error.message}; it begins with ${begins}`)
  }
}

function nothingAt(pointer: string, names: readonly string[]): DomainError {
  const has = names.length === 0 ? '' : `; it has ${names.map(name => JSON.stringify(name.slice(0, 60))).join(', ')}`
  return refused(`data_path: the answer has nothing at ${pointer}${has}`)
}

/** A header's text; of one that came several times, the list of them. */
function textOf(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(', ') : header
}

/** A number of rows, as JSON text or a header says it. */
function countOf(text: string | undefined): number | undefined {
  if (text === undefined || text.length > 20) return undefined
  const count = Number(plainText(text) || Number.NaN)
  return Number.isSafeInteger(count) && count >= 0 ? count : undefined
}

function refused(message: string): DomainError {
  return new DomainError('VALIDATION_ERROR', message)
}
