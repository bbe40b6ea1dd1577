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

/** Filters that let some of the changes through that a ledger's pushes make. */
export function someFilters(random: Random): Wanted {
  const ids = Array.from({ length: between(random, 1, HOT) }, (_, n) => `hot-${n + 1}`)
  const filters: Wanted[] = [
    { dataset: random.pick(DATASETS) },
    { record_ids: ids },
    { operations: some(OPERATIONS, random) },
    { fields: some(FIELDS, random) },
    { event_types: some(OPERATIONS, random).map(each => `record_${each}d`) },
  ]
  return Object.assign({}, random.pick(filters), random.pick(filters))
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
