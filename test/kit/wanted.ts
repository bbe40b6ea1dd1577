import type { RecordChanged } from '../../src/events/index.ts'
import { between } from './faults.ts'
import { DATASETS, HOT } from './ledger.ts'
import type { Random } from './random.ts'

/** What a subscriber asks for. */
export interface Wanted {
  dataset?: string
  record_ids?: string[]
  operations?: string[]
  fields?: string[]
  event_types?: string[]
}

const OPERATIONS = ['create', 'update', 'delete']
const FIELDS = ['push', 'exact', 'text', 'hot']

function some<T>(from: readonly T[], random: Random): T[] {
  const chosen = from.filter(() => random.chance(0.5))
  return chosen.length > 0 ? chosen : [random.pick(from)]
}

/** Filters for the changes that a ledger's pushes make: everything now and then, else some of it. */
export function someFilters(random: Random): Wanted {
  if (random.chance(0.3)) return {}
  const ids = Array.from({ length: between(random, 1, HOT) }, (_, n) => `hot-${n + 1}`)
  return {
    ...(random.chance(0.4) ? { dataset: random.pick(DATASETS) } : {}),
    ...(random.chance(0.2) ? { record_ids: ids } : {}),
    ...(random.chance(0.3) ? { operations: some(OPERATIONS, random) } : {}),
    ...(random.chance(0.3) ? { fields: some(FIELDS, random) } : {}),
    ...(random.chance(0.2) ? { event_types: some(OPERATIONS, random).map(each => `record_${each}d`) } : {}),
  }
}

/** Whether a change is among what is wanted, as docs/websocket.md has it. */
export function isWanted(wanted: Wanted, { dataset, id, operation, changes }: RecordChanged): boolean {
  const fields = Object.keys(JSON.parse(changes))
  return (
    (wanted.dataset ?? dataset) === dataset &&
    (wanted.record_ids?.includes(id) ?? true) &&
    (wanted.operations?.includes(operation) ?? true) &&
    (wanted.event_types?.includes(`record_${operation}d`) ?? true) &&
    (wanted.fields?.some(name => fields.includes(name)) ?? true)
  )
}
