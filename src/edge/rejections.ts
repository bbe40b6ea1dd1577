import { isUtf8 } from 'node:buffer'
import { isOutside } from '../catalog/destinations/index.ts'
import type { RecordPushed } from '../events/index.ts'
import { checkName, createRecordParser, type ParsedRecord, RowRefused } from '../intake/parse.ts'
import { DomainError, invalid } from '../kernel/errors.ts'
import { JsonError, skipMembers, skipSpace, wholeValue } from '../kernel/json.ts'
import { mergePositions, type Position } from '../kernel/position.ts'
import type { Row, Value } from '../kernel/projection.ts'
import { idOf, textAt } from '../kernel/record-id.ts'
import { writtenUnder } from '../log/commands.ts'
import { jobs } from '../projections/jobs.ts'
import { recordKey } from '../projections/records.ts'
import { configOf } from './jobs.ts'
import type { Request } from './router.ts'
import type { Services } from './services.ts'
import { validatorOf } from './webhooks/webhooks.ts'

/** A row's parts as they are to go in. */
interface Mended {
  readonly id: string
  readonly dataset: string | undefined
  readonly op: 'upsert' | 'delete'
  /** JSON text. */
  readonly data: string
  readonly version: number | null
  readonly updatedAt: string | null
}

/** What a replay brings along: the row's data as JSON text, and its id. */
export interface Mend {
  data?: Buffer
  recordId?: string
}

const RECORD_FIELDS = ['id', 'data', 'op', 'dataset', 'metadata']
const OPEN = 123

/** The `data` of a replay's body as its text stands, and the id that goes with it; nothing for an empty body. */
export function readMend(body: Buffer, maxDepth: number): Mend {
  if (body.length === 0) return {}
  const mend: Mend = {}
  try {
    const { start } = wholeValue(body, 0, body.length, maxDepth + 1)
    if (!isUtf8(body)) throw invalid('body', 'it is not valid UTF-8')
    if (body[start] !== OPEN) throw invalid('body', 'expected an object with data')
    skipMembers(body, start, body.length, maxDepth + 1, (keyStart, keyEnd, from, to) => {
      const name: string = JSON.parse(body.toString('utf8', keyStart, keyEnd))
      if (name === 'data' && body[from] === OPEN) mend.data = body.subarray(from, to)
      else if (name === 'data') throw invalid('data', 'expected a JSON object')
      else if (name === 'record_id') mend.recordId = readId(body.toString('utf8', from, to))
      else throw invalid(name.slice(0, 100), 'this field is not known here; a replay has data and record_id')
    })
  } catch (error) {
    if (!(error instanceof JsonError)) throw error
    throw new DomainError('VALIDATION_ERROR', `the body is not JSON: ${error.message}`)
  }
  return mend
}

function readId(text: string): string {
  const id: unknown = JSON.parse(text)
  if (typeof id === 'string') return id
  throw invalid('record_id', 'expected a string')
}

/** Whether a text is a whole record rather than its data: only a record's fields, and the id that is expected. */
function asRecord(bytes: Buffer, recordId: string | null, maxDepth: number): ParsedRecord | undefined {
  const names: string[] = []
  const start = skipSpace(bytes, 0, bytes.length)
  if (bytes[start] !== OPEN || !isUtf8(bytes)) return undefined
  try {
    skipMembers(bytes, start, bytes.length, maxDepth, (from, to) => {
      names.push(JSON.parse(bytes.toString('utf8', from, to)))
    })
    if (!names.includes('id') || names.some(name => !RECORD_FIELDS.includes(name))) return undefined
    const record = createRecordParser(maxDepth).parse(bytes, 0, bytes.length)
    return recordId === null || record.id === recordId ? record : undefined
  } catch (error) {
    if (error instanceof JsonError || error instanceof RowRefused) return undefined
    throw error
  }
}

/** What a refused row becomes: its mended data, else its own bytes read again. Throws VALIDATION_ERROR. */
function mendedRow(row: Row, mend: Mend, maxDepth: number, check: (data: string) => void): Mended {
  const encoding = row.original_encoding === 'base64' ? 'base64' : 'utf8'
  const read = row.data === null || row.data === undefined ? undefined : Buffer.from(row.data as string)
  const bytes = mend.data ?? read ?? Buffer.from(row.original as string, encoding)
  if (!isUtf8(bytes)) throw stillRefused(row)
  if (mend.data === undefined && read === undefined && (row.original_bytes as number) > bytes.length) {
    throw invalid('data', `the row had ${row.original_bytes} bytes and was too long to be kept whole; send it mended`)
  }
  const recordId = mend.recordId ?? (row.record_id as string | null)
  const whole = row.data_only === 1 ? undefined : asRecord(bytes, recordId, maxDepth)
  if (whole) {
    const { dataStart, dataEnd } = whole
    return { ...partsOf(whole), data: dataEnd === 0 ? 'null' : bytes.toString('utf8', dataStart, dataEnd) }
  }
  // A record as it was pushed that still is none: its text is not its data.
  if (mend.data === undefined && row.data_only === 0) throw stillRefused(row)
  const data = dataOf(bytes, maxDepth, row)
  check(data)
  const own = row.id_at === null ? undefined : idOf(textAt(data, row.id_at as string))
  const id = mend.recordId ?? own ?? recordId
  if (id === null) throw invalid('record_id', 'the row has no id that could be read; send one with its data')
  checkId(id)
  // Mended is the data of a record; what else was pushed with it stays.
  const pushed = row.data_only === 1 ? undefined : asRecord(Buffer.from(row.original as string, encoding), id, maxDepth)
  const parts = pushed ? partsOf(pushed) : { dataset: undefined, version: null, updatedAt: null }
  return { ...parts, id, op: 'upsert', data }
}

function partsOf({ id, dataset, op, version, updatedAt }: ParsedRecord): Omit<Mended, 'data'> {
  return { id, dataset, op, version, updatedAt }
}

function dataOf(bytes: Buffer, maxDepth: number, row: Row): string {
  try {
    const { start, end } = wholeValue(bytes, 0, bytes.length, maxDepth)
    if (bytes[start] === OPEN && isUtf8(bytes)) return bytes.toString('utf8', start, end)
  } catch (error) {
    if (!(error instanceof JsonError)) throw error
  }
  throw stillRefused(row)
}

function stillRefused({ code, message }: Row): DomainError {
  return invalid('data', `the row is still refused (${code}: ${message}); send it mended`)
}

function checkId(id: string): void {
  try {
    checkName(id, 'id')
  } catch (error) {
    if (error instanceof RowRefused) throw invalid('record_id', error.message.replace('id: ', ''))
    throw error
  }
}

/** Holds what was delivered to a webhook against its schema as it is now. Throws VALIDATION_ERROR. */
function checkDelivered(services: Services, row: Row, data: string): void {
  const webhook = services.webhooks.view.get((row.webhook_id as string | null) ?? '')
  const violations = webhook && validatorOf(services, webhook)?.(data)
  if (!violations) return
  const details = violations.map(({ pointer, message }) => ({ field: pointer, message }))
  throw new DomainError('VALIDATION_ERROR', `${details[0]!.field}: ${details[0]!.message}`, { details })
}

/** Throws CONFLICT for a row that was on its way to a destination outside, where only its job can bring it. */
async function requireDataSet({ store }: Services, { job_id, stage }: Row): Promise<void> {
  if (job_id === null || job_id === undefined) return
  const [job] = await store.load(jobs, [[job_id]])
  const wentOutside = stage === 'destination' || (job !== undefined && isOutside(configOf(job).destination))
  if (!wentOutside) return
  const message = `this row was on its way to the destination of job ${job_id}: mend it at its source and start the job again`
  throw new DomainError('CONFLICT', message)
}

/**
 * Sends a refused row in again, the way its push would have: once, whoever asks how often. Rejects with VALIDATION_ERROR
 * when it is still bad.
 */
export async function replay({ services, exchange, principal }: Request, row: Row, mend: Mend): Promise<Position> {
  const { config, log, commands, rules, grow } = services
  await requireDataSet(services, row)
  const mended = mendedRow(row, mend, config.jsonDepth, data => checkDelivered(services, row, data))
  const dataset = mended.dataset ?? (row.dataset as string | null) ?? (row.source as string)
  // What is sent mended says itself what is a number.
  const textOnly = row.text_only === 1 && mend.data === undefined
  const options = { validate: wanted(row.validate), transform: wanted(row.transform), textOnly }
  const { data, growth } =
    mended.op === 'delete' ? { data: mended.data, growth: undefined } : rules.require(dataset, mended.data, options)
  if (Buffer.byteLength(data) > config.lineBytes) throw invalid('data', `it is larger than ${config.lineBytes} bytes`)
  const made = { version: mended.version, updated_at: mended.updatedAt, upsert: wanted(row.upsert) }
  const record: RecordPushed = {
    ...{ dataset, id: mended.id, op: mended.op, data, ...made },
    ...{ source: row.source as string, actor: principal.id, request_id: exchange.requestId },
    ...{ line: row.line as number, received_at: Date.now(), job_id: row.job_id as string | null },
    conflict: rules.conflictOf(dataset, made),
    origin: null,
    keeps_rules: mended.op === 'delete' ? null : (rules.ruleCheck(dataset)?.(data) ?? null),
  }
  const key = recordKey(dataset, mended.id)
  const id = row.id as string
  const command = { rejection_id: id, mended: mend.data !== undefined, record, key }
  const by = { actor: principal.id, requestId: exchange.requestId }
  if (growth) await grow(dataset, growth, by)
  const position = await commands.send(`rejection/${id}`, { type: 'ReplayRejection', data: command }, by)
  return mergePositions(position, services.completePosition(await writtenUnder(log, 'sync.records', key)))
}

/** Rows from before it was kept what their push wanted are read as those of a push that wanted it. */
function wanted(column: Value | undefined): boolean {
  return column !== 0
}
