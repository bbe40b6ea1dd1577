import type { z } from 'zod'
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
  /** Whether a run of it takes a thread of its own, so that fewer of them run at once. */
  readonly heavy?: boolean
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
  /** Called once a run is complete, to let go of what only it needed. */
  finish?(config: z.output<Config>, context: Pick<PullContext, 'removeFile'>): Promise<void>
}

export interface PullContext {
  readonly signal: AbortSignal
  /** The uploaded file of that id, on this machine's disk until it is closed. */
  openFile(id: string): Promise<{ readonly path: string; close(): Promise<void> }>
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
}

/** A source or destination cannot be used now, and may be later: it asked to be left alone, or is not there. */
export class SourceBusy extends Error {
  /** When to come back, milliseconds since 1970, if it said so. */
  readonly until: number | undefined

  constructor(message: string, until?: number) {
    super(message)
    this.name = 'SourceBusy'
    this.until = until
  }
}

export interface PulledPage {
  readonly rows: readonly PulledRow[]
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
