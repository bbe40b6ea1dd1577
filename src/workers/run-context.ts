import type { Datasets } from '../catalog/connectors/connector.ts'
import type { FormatLimits } from '../catalog/formats/format.ts'
import type { Folders } from '../catalog/reach/folder.ts'
import type { Guard } from '../catalog/reach/guard.ts'
import type { RunCheckpointed } from '../events/index.ts'
import type { Grow } from '../intake/growth.ts'
import type { RulesLimits } from '../intake/row-rules.ts'
import type { Rules } from '../intake/rules.ts'
import type { Position } from '../kernel/position.ts'
import type { Lend } from '../kernel/slots.ts'
import type { Codec } from '../log/codec.ts'
import type { Commands } from '../log/commands.ts'
import type { Log, Stream } from '../log/log.ts'
import type { FileStore } from '../store/files.ts'
import type { SecretStore } from '../store/secrets.ts'
import type { Logger } from '../telemetry/logger.ts'

/** What a run works with. */
export interface RunContext {
  readonly log: Log
  readonly codec: Codec
  readonly logger: Logger
  readonly commands: Commands
  readonly rules: Rules
  /** Resolves once `rules` are those that were set when this is called. */
  readonly rulesReady: () => Promise<void>
  readonly grow: Grow
  readonly files: FileStore
  readonly secrets: SecretStore
  readonly guard: Guard
  /** Kafka's brokers, when the log is Kafka. */
  readonly brokers: readonly string[]
  readonly folders: Folders
  /** The service's own data sets, as they were. */
  readonly datasets: Datasets
  readonly limits: {
    readonly pageRows: number
    readonly pageBytes: number
    readonly maxDepth: number
    readonly maxRecordBytes: number
    readonly formatLimits: FormatLimits
    readonly rowLimits: RulesLimits
    readonly answerBytes: number
    readonly answerMs: number
    /** How often in a row a run waits before it fails. */
    readonly retries: number
  }
  readonly onTaken: (taken: { accepted: number; rejected: number; bytes: number }) => void
  /** Told when a run has ended. */
  readonly onEnded: (connector: string, status: 'success' | 'failure', seconds: number) => void
  readonly stream: Stream
  /** Waits for a source or a destination, one at a time; while it takes long, others have the run's slot. */
  readonly patiently: Lend
  /** Resolves once the stream of jobs has been followed up to an offset. */
  readonly seen: (offset: number, signal: AbortSignal) => Promise<void>
}

/** A run on its way. */
export interface Run {
  readonly group: string
  readonly runId: string
  tell(level: Level, message: string, metadata?: object): Promise<unknown>
  /** What becomes of an error in telling. */
  untold(error: unknown): void
  /** The number of the last page that is in, over all runs of the job. */
  number: number
  /** Where the connector goes on. */
  state: unknown
  processed: number
  rejected: number
  /** The last checkpoint that is in. */
  checkpoint: RunCheckpointed | undefined
  /** How often in a row it has come to waiting. */
  failures: number
  position: Position | undefined
  /** What comes later is not in the log yet. */
  after: Position
}

type Level = 'debug' | 'info' | 'warning' | 'error'
