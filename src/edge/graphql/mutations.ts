import { requireScope, type Scope } from '../auth/authenticate.ts'
import { countCall, rateLimited } from '../limits.ts'
import type { Asked, Context } from './context.ts'

/** These count as pushes. */
const PUSHES = ['pushRecords', 'replayRejected']

/** What a mutation needs, if it is not sync:write. */
const SCOPES: Readonly<Record<string, Scope>> = { rebuildProjection: 'sync:admin' }

/** Requests that have had a mutation: the first is counted by the request itself. */
const begun = new WeakSet<Asked>()

/** Counts one mutation of a request, each as a request over REST would be. Rejects with RATE_LIMITED, FORBIDDEN. */
export async function countMutation({ asked }: Context, name: string): Promise<void> {
  const { services, principal, exchange } = asked.request
  requireScope(principal, SCOPES[name] ?? 'sync:write')
  const push = PUSHES.includes(name)
  const first = !begun.has(asked)
  begun.add(asked)
  if (first && !push) return
  const state = await countCall(services, push ? 'push' : 'api', principal, exchange.ip)
  if (!state.allowed) throw rateLimited(state)
}
