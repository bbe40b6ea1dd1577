import type { Log } from '../../log/log.ts'
import { type FollowedView, followView } from '../../log/view.ts'
import { type AccessView, emptyAccessView, evolveAccess, forgetExpired } from '../../projections/access.ts'
import type { Logger } from '../../telemetry/logger.ts'

const FORGET_MS = 60_000

export interface Access extends FollowedView {
  readonly view: AccessView
}

/** Folds `sync.access` from its beginning and keeps following it. */
export function startAccess(log: Log, logger: Logger, tokenSeconds: number): Access {
  const view = emptyAccessView()
  const followed = followView(log, 'sync.access', logger, ({ type, data }) => evolveAccess(view, type, data))
  const forgetting = setInterval(() => forgetExpired(view, Date.now(), tokenSeconds * 1000), FORGET_MS).unref()
  return {
    ...followed,
    view,
    async stop() {
      clearInterval(forgetting)
      await followed.stop()
    },
  }
}
