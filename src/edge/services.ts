import type { AugmentLimits } from '../catalog/augmenters/index.ts'
import type { FormatLimits } from '../catalog/formats/format.ts'
import type { Guard } from '../catalog/reach/guard.ts'
import type { Validator } from '../catalog/schemas/compile.ts'
import type { Config } from '../config.ts'
import type { Grow } from '../intake/growth.ts'
import type { RulesLimits } from '../intake/row-rules.ts'
import type { Rules } from '../intake/rules.ts'
import type { Position } from '../kernel/position.ts'
import type { Slots } from '../kernel/slots.ts'
import type { Codec } from '../log/codec.ts'
import type { Commands } from '../log/commands.ts'
import type { Log, TopicSpec } from '../log/log.ts'
import type { FollowedView } from '../log/view.ts'
import type { RebuildsView } from '../projections/rebuilds.ts'
import type { SettingsView } from '../projections/settings.ts'
import type { WebhookView } from '../projections/webhooks.ts'
import type { FileStore } from '../store/files.ts'
import type { SecretStore } from '../store/secrets.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { ReadStore } from '../threads/store.ts'
import type { Access } from './auth/access.ts'
import type { Tokens } from './auth/tokens.ts'
import type { Health } from './health.ts'
import type { HistoryReaders } from './history/readers.ts'
import type { Keys } from './idempotency/keys.ts'
import type { Limits } from './limits.ts'
import type { Progress } from './progress.ts'
import type { SharedRedis } from './redis.ts'
import type { Live } from './socket/live.ts'

/** What every role's server works with. */
export interface Probes {
  readonly config: Config
  readonly logger: Logger
  readonly metrics: Metrics
  readonly limits: Limits
  readonly health: Health
  /** What edges share, when they do. */
  readonly redis?: SharedRedis | undefined
}

/** What routes and sockets work with. */
export interface Services extends Probes {
  readonly log: Log
  /** What its topics are. */
  readonly topics: readonly TopicSpec[]
  /** Follows the log for those who listen. */
  readonly live: Live
  readonly codec: Codec
  readonly store: ReadStore
  readonly progress: Progress
  readonly commands: Commands
  readonly access: Access
  readonly tokens: Tokens
  /** Idempotency keys. */
  readonly keys: Keys
  /** Makes the position of an append a place in the whole log. */
  readonly completePosition: (position: Position) => Position
  readonly webhooks: FollowedView & { readonly view: WebhookView }
  /** What was set for data sets. */
  readonly settings: FollowedView & { readonly view: SettingsView }
  /** Rebuilds of read models. */
  readonly rebuilds: FollowedView & { readonly view: RebuildsView }
  readonly secrets: SecretStore
  readonly files: FileStore
  /** Which addresses may be connected to that users name. */
  readonly guard: Guard
  /** What is done with each data set's rows before they go in. */
  readonly rules: Rules
  /** Keeps what rows have made of a schema. */
  readonly grow: Grow
  /** The bounds of reading uploaded files. */
  readonly formatLimits: FormatLimits
  /** The bounds of making rows of others. */
  readonly augmentLimits: AugmentLimits
  /** The bounds of what is done with rows. */
  readonly rowLimits: RulesLimits
  /** Compiles users' schemas, and keeps the last ones. */
  readonly schemas: (schema: unknown, field: string) => Validator
  /** Who reads the history to its end. */
  readonly history: HistoryReaders
  /** For reading uploaded files, each in a thread of its own. */
  readonly readers: Slots
  /** The client made at first start. */
  readonly admin: { id: string; secret: string }
}
