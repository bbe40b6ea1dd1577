import type { z } from 'zod'
import type { ErrorDetail } from '../../kernel/errors.ts'
import type { AugmentLimits } from '../augmenters/index.ts'
import type { FormatLimits } from '../formats/format.ts'
import type { Guard } from '../reach/guard.ts'
import type { SecretPath } from '../secrets.ts'

/**
 * A connector: where a job takes its data from. It gives pages, each with the state from which the next one follows, and
 * the runner writes a page's records and its state in one append. So a connector that is started with a page's state
 * gives what comes after that page, and never the page again.
 */
export interface Connector<Config extends z.ZodType = z.ZodType> {
  readonly type: string
  readonly summary: string
  /** How its jobs are made, when that is not by POST /jobs. */
  readonly madeBy?: string
  /** What a run of it takes much of, so that fewer of them run at once: a thread of its own, or memory. */
  readonly heavy?: 'thread' | 'memory'
  /** Whether rows may come twice, and others never, because pages shift while they are read: then it is told. */
  readonly pagesMayShift?: boolean
  /** What a job says under `connector.config`. */
  readonly config: Config
  /** Where in a configuration, as its maker gave it, there are secrets. */
  secrets?(config: unknown): readonly SecretPath[]
  /**
   * The state that a new run begins with, from the last one of the runs before: what is not about a place within a run,
   * such as how far the records of an incremental source are known. Without it a run begins at the beginning.
   */
  begin?(last: unknown): unknown
  /** The servers that it connects to, by their origins. When they change, stored secrets must be given anew. */
  servers?(config: z.output<Config>): readonly string[]
  /** Whether a run brings everything that the source has, and not only what is new; so it is unless this says otherwise. */
  whole?(config: z.output<Config>): boolean
  /**
   * The pages after `state`; undefined: from the beginning. Fails with a DomainError for what is wrong with the source or
   * the configuration, after all that could be read before it was given; with SourceBusy for what may pass: the run then
   * waits, and goes on from the last page's state.
   */
  pull(config: z.output<Config>, state: unknown, context: PullContext): AsyncIterable<PulledPage>
  /**
   * Looks for what a configuration says that cannot work and that pulling need not show: an address that may not be
   * connected to. Fails with a VALIDATION_ERROR whose field is a path within the configuration. Nothing is connected to.
   */
  check?(config: z.output<Config>, context: Pick<PullContext, 'guard'>): Promise<void>
  /** What a run that is complete has come to, from its last page's state: the job's `result`. */
  result?(config: z.output<Config>, state: unknown): object
  /** Called once a run is complete, to let go of what only it needed. */
  finish?(config: z.output<Config>, context: Pick<PullContext, 'removeFile'>): Promise<void>
}

export interface PullContext {
  readonly signal: AbortSignal
  /** The uploaded file of that id, on this machine's disk until the rows of all pages have been handled. */
  openFile(id: string): Promise<{ readonly path: string }>
  removeFile(id: string): Promise<void>
  /** Tells the run's log. */
  log(level: 'debug' | 'info' | 'warning' | 'error', message: string, metadata?: object): void
  /** Most rows and most bytes of a page. */
  readonly pageRows: number
  readonly pageBytes: number
  /** The bounds of reading a file. */
  readonly formatLimits: FormatLimits
  /** Which addresses may be connected to: everything that leaves for an address which a user gave goes by it. */
  readonly guard: Guard
  /**
   * Keeps a secret of the configuration that the source has replaced, under its path there, so that this run and later
   * ones get the new one. Awaited before the new one is relied on. Without it such a secret is lost with the run.
   */
  keepSecret?(path: SecretPath, value: string): Promise<void>
  /** Most bytes of one answer of a source. */
  readonly answerBytes: number
  /** Milliseconds that a source may take for an answer. */
  readonly answerMs: number
  /** The service's own data sets; a preview has none. */
  readonly datasets?: Datasets
}

/** A moment of the log: which log it is, and by stream the offset of the last event that counts. JSON can hold it. */
export interface LogMoment {
  readonly log: string
  readonly offsets: Readonly<Record<string, number>>
}

/** The service's own data sets, for those who make others out of them. */
export interface Datasets {
  /** The moment that includes all that is in the log now, once it can be read. Fails with SourceBusy when that takes long. */
  now(signal: AbortSignal): Promise<LogMoment>
  /**
   * The records of a data set as they were at a moment, in the order of their ids, page by page; none after `signal` has
   * aborted. Fails with GONE when that is not kept any more.
   */
  records(dataset: string, moment: LogMoment, page: RecordsAsked): AsyncGenerator<readonly DatasetRecord[]>
  /** The JSON Schema that was set for a data set then, if one was. */
  schema(dataset: string, moment: LogMoment): Promise<Readonly<Record<string, unknown>> | undefined>
  /** Begins to choose rows of data sets for another one. Its work is the domain's, which no connector knows. */
  dilute(config: DilutionAsked, schema: Readonly<Record<string, unknown>> | undefined): Diluting
  readonly augmentation: AugmentLimits
  /** The translator that the operator has named. */
  readonly translator: TranslatorSettings | undefined
}

export interface TranslatorSettings {
  readonly url: string
  readonly apiKey: string | undefined
  readonly timeoutMs: number
  readonly retries: number
  readonly concurrency: number
}

export interface RecordsAsked {
  readonly after?: string | undefined
  /** Most records of a page, and about as much text. */
  readonly limit: number
  readonly bytes: number
  readonly signal: AbortSignal
}

export interface DatasetRecord {
  readonly id: string
  /** JSON text of an object. */
  readonly data: string
  /** JSON text of its Origin, for a record that was made itself. */
  readonly origin: string | null
  /** How it was judged beside its data (domain/quality-state.ts). */
  readonly verdict: number
}

export interface DilutionAsked {
  readonly ratio: number
  readonly matchingFields: readonly string[]
  readonly threshold: number
  readonly seed: string
}

/** A dilution's passes over records, in this order; see src/domain/dilution.ts. */
export interface Diluting {
  source(record: DatasetRecord): void
  /** A record of a dilution set, to learn its columns. */
  look(set: string, record: DatasetRecord): void
  plan(): void
  count(set: string, record: DatasetRecord): void
  pick(set: string, record: DatasetRecord): { id: string; data: string; origin: Origin } | undefined
  report(): DilutionReport
}

/** What a made record was made of. */
export interface Origin {
  readonly dataset_id: string
  readonly record_id: string
  readonly strategy: string
  readonly seed: string
}

export interface DilutionReport {
  readonly original_records: number
  readonly diluted_records: number
  readonly final_records: number
  readonly shortfall: number
  readonly quality_improvement: number
  readonly passed_over: Readonly<Record<string, number>>
  /** By dilution set, the columns that the source has none for. */
  readonly left_out: Readonly<Record<string, readonly string[]>>
  readonly not_convertible: readonly string[]
}

/** A source or destination cannot be used now, and may be later: it asked to be left alone, or is not there. */
export class SourceBusy extends Error {
  /** When to come back, milliseconds since 1970, if it said so. */
  readonly until: number | undefined
  /** What of the job asks for it, when that is not all of it: told when the run fails in the end. */
  readonly details: readonly ErrorDetail[]

  constructor(message: string, until?: number, details: readonly ErrorDetail[] = []) {
    super(message)
    this.name = 'SourceBusy'
    this.until = until
    this.details = details
  }
}

/** The rows of a page: an array, or what makes each when it is come to. May be gone through more than once. */
export type PulledRows = Iterable<PulledRow> & { readonly length: number }

export interface PulledPage {
  readonly rows: PulledRows
  /** About how many bytes they have; counted when it is left out. */
  readonly bytes?: number
  readonly state: unknown
  /** How many rows there are in all, when the source tells. */
  readonly total: number | null
}

export type PulledRow =
  /**
   * A record: its data, the JSON text of an object, exact. Its number counts from 1 over the whole source; a connector
   * whose rows have no numbers of their own leaves it out, and so it does with an id.
   */
  | {
      readonly number?: number
      readonly id?: string
      readonly data: string
      /** What it was made of, where it was made. */
      readonly origin?: Origin | null
      /** The row's own bytes, where they are something else than that text; asked for when the row is refused. */
      original?(): Uint8Array
    }
  /** A row that cannot be taken, with the id that it would have had, where that is known. */
  | { readonly number?: number; readonly id: string | null; readonly refused: RefusedRow }

export interface RefusedRow {
  readonly code: string
  /** The column that is wrong. */
  readonly field: string | null
  readonly value: string | null
  readonly message: string
  readonly original: Uint8Array
  readonly originalBytes: number
  /** The row as it could be read, the JSON text of an object, where `original` is something else. */
  readonly data?: string
}

export function defineConnector<Config extends z.ZodType>(connector: Connector<Config>): Connector {
  return connector as unknown as Connector
}
