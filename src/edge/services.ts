import type { Config } from '../config.ts'
import type { Position } from '../kernel/position.ts'
import type { Codec } from '../log/codec.ts'
import type { Log } from '../log/log.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { ReadStore } from '../threads/store.ts'
import type { Access } from './auth/access.ts'
import type { Tokens } from './auth/tokens.ts'
import type { Commands } from './commands.ts'
import type { Health } from './health.ts'
import type { Keys } from './idempotency/keys.ts'
import type { Limits } from './limits.ts'
import type { Progress } from './progress.ts'
import type { SharedRedis } from './shared-redis.ts'

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
  /** The client made at first start. */
  readonly admin: { id: string; secret: string }
}
