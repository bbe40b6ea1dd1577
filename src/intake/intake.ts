import type { RecordPushed } from '../events/index.ts'
import type { DomainError } from '../kernel/errors.ts'
import { timeOrderedId } from '../kernel/id.ts'
import { mergePositions, type Position } from '../kernel/position.ts'
import { batchWriter } from '../log/batch.ts'
import type { Codec } from '../log/codec.ts'
import type { EventBatch, Log } from '../log/log.ts'
import { checkName, createRecordParser, type RowError, RowRefused } from './parse.ts'
import { type PushRules, pushRules } from './push-rules.ts'
import { keyWriter } from './record-keys.ts'
import { asFrozen, inOrder, rejectionOf } from './refusals.ts'

const SHOWN_ERRORS = 100

/** A refused row as the API shows it. */
export interface ShownError {
  index: number
  line?: number
  id: string | null
  field: string | null
  code: string
  message: string
  retryable: boolean
}

export interface IntakeOptions extends PushRules {
  log: Log
  codec: Codec
  /** Told what has become durable: records, refused rows, and the bytes of the records. */
  onTaken: (taken: { accepted: number; rejected: number; bytes: number }) => void
  /** Writes what was collected, perhaps with something of the caller's own; also when nothing was collected. */
  append?: (batches: readonly EventBatch[]) => Promise<Position>
  source: string
  dataset: string
  upsert: boolean
  maxDepth: number
  maxRecordBytes: number
  /** How many bytes come, when that is known: a small push makes no large buffer. */
  expectedBytes?: number
  /** Whether rows are counted as lines of a stream, from 1, or as indexes of a batch, from 0. */
  numbering: 'line' | 'index'
  /** Given when rows are only the data of records, as a file's are: where in it the id is, as a JSON pointer. */
  dataOnly?: { readonly idAt: string | null }
  /** The job that brings these rows, if one does. */
  jobId?: string
  /** The webhook that they were delivered to, if they were. */
  webhookId?: string
  /** Makes a position of these appends one of the whole log. */
  complete: (position: Position) => Position
  /** Called for each refused row. */
  onRejected?: (error: ShownError) => void
}

/** Rows of one push on their way into the log. */
export interface Intake {
  /** Takes the row in bytes[start, end), which must be valid UTF-8, or refuses it and keeps it. */
  row(bytes: Buffer, start: number, end: number, number: number): void
  /** Takes a record whose parts are known; `original` is the row it came from. */
  add(record: GivenRecord, number: number, original: () => Buffer): void
  /** Refuses a row that could not even be read; `original` are its bytes, or the first of them. */
  refuse(row: RowError, number: number, original: Buffer, originalBytes: number, recordId?: string | null): void
  /** Bytes taken in and not yet flushed. */
  readonly collected: number
  /** Rows refused so far, durable or not. */
  readonly refused: number
  /**
   * Sends what was collected to the log; resolves when it is durable, with the tally as this has left it: further ones may
   * have become durable with it. Undefined when there is nothing.
   */
  flush(): Promise<Counted> | undefined
  /** What has become durable so far. */
  readonly tally: Tally
}

/** A record that came as something else than its own JSON, as a file's row does. `data`: JSON text of an object. */
export interface GivenRecord {
  readonly id: string
  readonly data: string
  readonly origin?: RecordPushed['origin']
}

/** A tally's numbers. */
export type Counted = Readonly<Pick<Tally, 'accepted' | 'rejected' | 'position'>>

export interface Tally {
  accepted: number
  rejected: number
  errors: ShownError[]
  position: Position | undefined
}

const BUFFER_BYTES = 256 * 1024
const RECORDS = 'sync.records'
const REJECTED = 'sync.rejected'

export function createIntake(options: IntakeOptions): Intake {
  const { log, codec } = options
  checkName(options.dataset, 'dataset')
  checkName(options.source, 'source')
  const parser = createRecordParser(options.maxDepth)
  const records = batchWriter(Math.min(2 * (options.expectedBytes ?? BUFFER_BYTES), BUFFER_BYTES))
  const rejected = batchWriter(4096)
  const tally: Tally = { accepted: 0, rejected: 0, errors: [], position: undefined }
  const key = keyWriter()
  let refusals = 0
  /** Rows that a filter has left out: taken, and nothing to keep. */
  let dropped = 0
  /** Why nothing of this push is taken any more. */
  let frozen: ((accepted: number) => DomainError) | undefined
  /** All appends so far, done or not. */
  let appends: Promise<unknown> = Promise.resolve()
  let underWay = 0
  /** What has to be kept before anything else is appended. */
  let gate: Promise<void> | undefined
  const rule = pushRules(options)

  // One event object for all rows: filling it and handing it to the encoder makes nothing to collect.
  const event: RecordPushed = {
    dataset: options.dataset,
    id: '',
    op: 'upsert',
    data: 'null',
    version: null,
    updated_at: null,
    upsert: options.upsert,
    source: options.source,
    actor: options.actor,
    request_id: options.requestId,
    line: 0,
    received_at: Date.now(),
    job_id: options.jobId ?? null,
    conflict: null,
    origin: null,
    keeps_rules: null,
  }
  const writeEvent = (buffer: Buffer, at: number) => codec.write('RecordPushed', event, buffer, at)

  /** Takes the event in as the rules of its data set leave it; `original` is the row it came from. */
  function put(number: number, original: () => Buffer): void {
    if (frozen) return
    event.line = number
    event.conflict = options.rules.conflictOf(event.dataset, event)
    event.keeps_rules = null
    const own = event.op === 'upsert' ? rule.of(event.dataset) : undefined
    if (own?.rule) {
      const outcome = own.rule.apply(event.data)
      if ('frozen' in outcome) frozen = asFrozen(outcome.frozen, number, event)
      if ('dropped' in outcome) return void dropped++
      if (!('json' in outcome)) {
        const bytes = original()
        const refused = 'frozen' in outcome ? outcome.frozen : outcome.refused
        const why = { ...refused, data: readAs(event.data, bytes) }
        return refuse(why, number, bytes, bytes.length, event.id, event.dataset)
      }
      event.data = outcome.json
    }
    if (own?.keepsRules) event.keeps_rules = own.keepsRules(event.data)
    records.add(key.write(event.dataset, event.id), writeEvent, key.length())
  }

  /** A row's data, when the bytes of the row are something else. */
  function readAs(data: string, original: Buffer): string | null {
    return options.dataOnly && !original.equals(Buffer.from(data)) ? data : null
  }

  function accept(bytes: Buffer, start: number, end: number, number: number): void {
    const record = parser.parse(bytes, start, end)
    event.dataset = record.dataset ?? options.dataset
    event.id = record.id
    event.op = record.op
    event.data = record.dataEnd === 0 ? 'null' : bytes.toString('utf8', record.dataStart, record.dataEnd)
    event.version = record.version
    event.updated_at = record.updatedAt
    put(number, () => bytes.subarray(start, end))
  }

  function acceptGiven({ id, data, origin = null }: GivenRecord, number: number, original: () => Buffer): void {
    checkName(id, 'id')
    Object.assign(event, { dataset: options.dataset, id, op: 'upsert', data, version: null, updated_at: null, origin })
    put(number, original)
  }

  function refuse(
    row: RowError,
    number: number,
    original: Buffer,
    originalBytes: number,
    recordId: string | null = null,
    dataset = options.dataset,
  ): void {
    refusals++
    const place = options.numbering === 'line' ? { index: number - 1, line: number } : { index: number }
    const shown: ShownError = {
      ...place,
      id: recordId,
      field: row.field,
      code: row.code,
      message: row.message,
      retryable: false,
    }
    const id = timeOrderedId('rej', event.received_at, inOrder(refusals))
    const where = { id, dataset, recordId, original, originalBytes, line: number, receivedAt: event.received_at }
    const rejection = rejectionOf(options, row, where)
    rejected.add(Buffer.from(id), (buffer, at) => codec.write('RecordRejected', rejection, buffer, at))
    if (tally.errors.length < SHOWN_ERRORS) tally.errors.push(shown)
    options.onRejected?.(shown)
  }

  const numbers = (): Counted => ({ accepted: tally.accepted, rejected: tally.rejected, position: tally.position })

  /** Counts what has been appended. */
  function count(appended: Position, accepted: number, refused: number, bytes: number): Counted {
    const position = options.complete(appended)
    tally.accepted += accepted
    tally.rejected += refused
    tally.position = tally.position ? mergePositions(tally.position, position) : position
    options.onTaken({ accepted, rejected: refused, bytes })
    return numbers()
  }

  /** Counts rows that were taken and left nothing to keep. */
  function left(accepted: number): Counted {
    tally.accepted += accepted
    return numbers()
  }

  /** Keeps the rows that were refused, lets go of the others, and tells why, once it is known how many were in before. */
  async function endFrozen(because: (accepted: number) => DomainError): Promise<never> {
    records.take(RECORDS)
    dropped = 0
    const refused = rejected.count
    const batch = rejected.take(REJECTED)
    await appends
    if (batch) count(await log.append([batch]), 0, refused, 0)
    throw because(tally.accepted)
  }

  return {
    tally,
    get collected() {
      return records.size + rejected.size
    },
    get refused() {
      return refusals
    },
    row(bytes, start, end, number) {
      if (end - start > options.maxRecordBytes) {
        const message = `the record has ${end - start} bytes, more than ${options.maxRecordBytes}`
        return refuse(
          { code: 'TOO_LONG', field: null, message },
          number,
          bytes.subarray(start, start + options.maxRecordBytes),
          end - start,
        )
      }
      try {
        accept(bytes, start, end, number)
      } catch (error) {
        if (!(error instanceof RowRefused)) throw error
        refuse(error.row, number, bytes.subarray(start, end), end - start, error.recordId)
      }
    },
    add(record, number, original) {
      try {
        acceptGiven(record, number, original)
      } catch (error) {
        if (!(error instanceof RowRefused)) throw error
        const bytes = original()
        const why = { ...error.row, data: readAs(record.data, bytes) }
        refuse(why, number, bytes, bytes.length, error.recordId)
      }
    },
    refuse,
    flush() {
      if (frozen) return endFrozen(frozen)
      const accepted = records.count + dropped
      const refused = rejected.count
      const bytes = records.size
      const batches: EventBatch[] = []
      dropped = 0
      for (const batch of [records.take(RECORDS), rejected.take(REJECTED)]) if (batch) batches.push(batch)
      if (batches.length === 0 && !options.append) {
        if (underWay > 0) return appends.then(() => left(accepted))
        left(accepted)
        return undefined
      }
      event.received_at = Date.now()
      // In the order of the flushes, also of those that have nothing to keep first.
      if (rule.grown()) gate = Promise.all([gate, rule.keepGrowth()]).then(() => undefined)
      const append = () => (options.append ?? log.append)(batches)
      const appending = (gate ? gate.then(append) : append()).then(appended =>
        count(appended, accepted, refused, bytes),
      )
      underWay++
      appends = Promise.allSettled([appends, appending]).then(() => underWay--)
      return appending
    },
  }
}
