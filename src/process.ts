import type { Config } from './config.ts'
import { createHealth, type Work } from './edge/health.ts'
import type { Probes } from './edge/services.ts'
import type { Log } from './log/log.ts'
import type { Logger } from './telemetry/logger.ts'
import type { Metrics } from './telemetry/metrics.ts'
import type { Progressed, ThreadData, ThreadRole } from './thread.ts'

/** What the parts of a process share. */
export interface Process {
  readonly config: Config
  readonly logger: Logger
  readonly metrics: Metrics
  readonly log: Log
  /** Registers how a part that has started is stopped; the last one started stops first. */
  onStop(stop: () => Promise<void>): void
  thread(
    role: ThreadRole,
    ports: Pick<ThreadData, 'ports' | 'keeping'>,
    onNews?: (news: Progressed) => void,
  ): Promise<void>
}

export function healthOf({ config, log }: Process, works: readonly Work[]): Probes['health'] {
  return createHealth({ log, works, maxLag: config.readyLag, stallMs: config.readyStallSeconds * 1000 })
}
