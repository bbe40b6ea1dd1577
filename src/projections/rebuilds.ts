import type { Events, RebuildCompleted, RebuildFailed, RebuildRequested } from '../events/index.ts'

/** The rebuilds of one projection: the one under way, and the last one that ended. */
export interface Rebuilds {
  readonly underWay?: RebuildRequested | undefined
  readonly last?: { readonly asked: RebuildRequested; readonly outcome: RebuildCompleted | RebuildFailed } | undefined
}

/** Rebuilds by the name of their projection, folded from `sync.projections`. Every edge keeps it in memory; it stays small. */
export type RebuildsView = Map<string, Rebuilds>

/** Takes an event into the view; events of other nouns change nothing. */
export function evolveRebuilds(view: RebuildsView, type: keyof Events, event: Events[keyof Events]): void {
  if (type === 'RebuildRequested') {
    const asked = event as RebuildRequested
    view.set(asked.projection, { ...view.get(asked.projection), underWay: asked })
  } else if (type === 'RebuildCompleted' || type === 'RebuildFailed') {
    const outcome = event as RebuildCompleted | RebuildFailed
    const asked = view.get(outcome.projection)?.underWay
    if (asked?.rebuild_id === outcome.rebuild_id) view.set(outcome.projection, { last: { asked, outcome } })
  }
}
