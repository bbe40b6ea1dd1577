import type { Decider } from '../kernel/decider.ts'
import { type AccessCommand, accessDecider, isOver } from './access.ts'
import { type ConflictCommand, conflictDecider } from './conflict-decisions.ts'
import { type DatasetCommand, datasetDecider } from './dataset.ts'
import { type JobCommand, jobDecider } from './job.ts'
import { type RebuildCommand, rebuildDecider } from './rebuild.ts'
import { type RejectionCommand, rejectionDecider } from './rejection.ts'
import { type WebhookCommand, webhookDecider } from './webhook.ts'

export type Command =
  | AccessCommand
  | WebhookCommand
  | DatasetCommand
  | RejectionCommand
  | JobCommand
  | ConflictCommand
  | RebuildCommand

/** An event as a decider gives it; without a key of its own it has its aggregate's. */
export interface DecidedEvent {
  readonly type: string
  readonly data: object
  readonly key?: string
}

// biome-ignore lint/suspicious/noExplicitAny: each decider knows its own state, command and event
type AnyDecider = Decider<any, any, DecidedEvent>

export interface Rules {
  readonly decider: AnyDecider
  /** The topic of the events that its state is folded from. */
  readonly topic: string
  /** Whether a state says no more at `now`, milliseconds since 1970, than its absence would. */
  isOver?(state: never, now: number): boolean
}

const access: Rules = { decider: accessDecider as AnyDecider, topic: 'sync.access', isOver }

/** Who decides, by the noun that an aggregate's name begins with: `noun/id`. A noun a line. */
export const deciders: Readonly<Record<string, Rules>> = {
  api_key: access,
  family: access,
  token: access,
  client: access,
  webhook: { decider: webhookDecider as AnyDecider, topic: 'sync.webhooks' },
  dataset: { decider: datasetDecider as AnyDecider, topic: 'sync.datasets' },
  rejection: { decider: rejectionDecider as AnyDecider, topic: 'sync.replays' },
  conflict: { decider: conflictDecider as AnyDecider, topic: 'sync.conflicts' },
  job: { decider: jobDecider as AnyDecider, topic: 'sync.jobs' },
  projection: { decider: rebuildDecider as AnyDecider, topic: 'sync.projections' },
}

/** The rules of an aggregate; undefined for a noun that nobody decides. */
export function findRules(aggregate: string): Rules | undefined {
  const noun = aggregate.slice(0, Math.max(0, aggregate.indexOf('/')))
  return Object.hasOwn(deciders, noun) ? deciders[noun] : undefined
}
