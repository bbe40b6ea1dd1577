import type { Events, RecordPushed } from '../events/index.ts'

/**
 * Lifts events of an older schema to what today's code takes them for, where a default of the schema does not say it.
 * Pure, and by the event alone. It goes by a field that the writer's schema lacks: that is so for every schema from before
 * the field came, those of versions in between two releases too, and never for one that has it.
 */
export interface Upcaster<Name extends keyof Events = keyof Events> {
  readonly name: string
  readonly type: Name
  /** Only events of schemas without this field are lifted. */
  readonly lacks: string
  lift(event: Events[Name]): Events[Name]
}

/**
 * A push that must not overwrite says so through what it brings for conflicts; before there were any, `upsert` alone said
 * it. It is what today's edge makes of such a push to a data set without a policy: what is there stays.
 */
const insertOnly: Upcaster<'RecordPushed'> = {
  name: 'insert-only pushes from before there were conflicts',
  type: 'RecordPushed',
  lacks: 'conflict',
  lift(event: RecordPushed) {
    if (event.upsert) return event
    return { ...event, conflict: { policy: null, resolves: null, resolution: null, write: true } }
  },
}

/** All of them, those of one type in the order in which they are applied: the oldest first. */
export const upcasters: readonly Upcaster[] = [insertOnly] as unknown as readonly Upcaster[]

/** What lifts the events that a schema of a type has written; undefined when nothing does. */
export function liftOf(
  type: keyof Events,
  writer: { readonly fields?: readonly { readonly name: string }[] },
  all: readonly Upcaster[] = upcasters,
): ((event: object) => object) | undefined {
  const fields = new Set(writer.fields?.map(({ name }) => name))
  const lifting = all.filter(each => each.type === type && !fields.has(each.lacks))
  if (lifting.length === 0) return undefined
  return event => lifting.reduce<object>((lifted, { lift }) => lift(lifted as never), event)
}
