import type { z } from 'zod'
import type { Folders } from '../reach/folder.ts'
import type { Guard } from '../reach/guard.ts'
import type { SecretPath } from '../secrets.ts'

/**
 * A destination outside: where a job's rows land besides the log. Every page is in the log before a sink is given it, so
 * a sink that was cut off is given the same page again, and has it in once all the same.
 */
export interface Destination<Config extends z.ZodType = z.ZodType> {
  readonly type: string
  readonly summary: string
  /** What a job says under `destination`, `type` included. */
  readonly config: Config
  /** Where in a configuration, as its maker gave it, there are secrets. */
  secrets?(config: unknown): readonly SecretPath[]
  /** As a connector's: looks for what cannot work here, such as an address that may not be connected to. */
  check?(config: z.output<Config>, context: Pick<SinkContext, 'guard' | 'brokers' | 'folders'>): Promise<void>
  /**
   * Connects. Fails with a DomainError for a configuration that cannot work (a table of another shape, an address that
   * may not be reached), with SourceBusy for what may pass.
   */
  open(config: z.output<Config>, context: SinkContext): Promise<Sink>
}

export interface SinkContext {
  readonly jobId: string
  readonly runId: string
  readonly signal: AbortSignal
  readonly guard: Guard
  /** Whether the run brings everything that the source has, and not only what is new. */
  readonly whole: boolean
  /** Kafka's brokers, when the service has any. */
  readonly brokers: readonly string[]
  readonly folders: Folders
  /** Milliseconds that it may take to answer. */
  readonly answerMs: number
  /** Tells the run's log. */
  log(level: 'debug' | 'info' | 'warning' | 'error', message: string, metadata?: object): void
}

/**
 * An open destination, for one run at a time and one call at a time. Another runner may have it open too, for a moment:
 * one that was taken over from and does not know yet. Both can only have pages that are in the log, so whatever the two
 * do, each page is in once.
 */
export interface Sink {
  /**
   * The number of the last page of this job that is in, with its run; undefined when it knows of none, as after the job was
   * given another destination.
   */
  readonly checkpoint: { readonly runId: string; readonly number: number } | undefined
  /**
   * Writes a page's rows and its number in one transaction; one that is in already is passed over. Rows that cannot be
   * written go to `onRefused`, once in a call and before the transaction commits, and the others are in; when the page is
   * given again because the transaction did not commit, so are its refused rows.
   *
   * Fails with SourceBusy when the destination is not there, with a DomainError for what will not pass by itself: nothing of
   * the page is in then, and the sink can be written to again.
   */
  write(page: SinkPage, onRefused: (refused: readonly SinkRefusal[]) => Promise<void>): Promise<void>
  /**
   * The run has come to its end: does what only a whole run allows. Does nothing the second time. The run must have written
   * a page, without rows when its source had none: else it is a CONFLICT, as it is when a later run has written.
   *
   * `missed` says how many rows of the source never came here because something before refused them. With any, no row is
   * taken for deleted at the source.
   */
  complete(missed?: number): Promise<void>
  stop(): Promise<void>
}

export interface SinkPage {
  /** Counts over all pages of the job, from 1. */
  readonly number: number
  /**
   * The number of the first page whose rows are in this one, when several are written at once. Then it is a CONFLICT when
   * only some of them are in already.
   */
  readonly first?: number
  /** In order: what comes later counts. There may be none. */
  readonly rows: readonly SinkRow[]
}

export interface SinkRow {
  /** Counts from 1 over the run. */
  readonly number: number
  /** The record's id. */
  readonly id: string
  readonly op: 'upsert' | 'delete'
  /** JSON text of an object, checked. Of a deleted one: of an object with at least its key, or `null`. */
  readonly data: string
  /** When the log took it, milliseconds since 1970. */
  readonly at: number
}

/** A row that the destination does not take. */
export interface SinkRefusal {
  readonly row: SinkRow
  readonly code: string
  /** The column that is wrong, when the destination says so. */
  readonly field: string | null
  readonly message: string
}

export function defineDestination<Config extends z.ZodType>(destination: Destination<Config>): Destination {
  return destination as unknown as Destination
}
