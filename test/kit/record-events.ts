import type { ConflictDetected, ConflictTold, RecordChanged, RecordPushed } from '../../src/events/index.ts'
import { type Emit, followed, type Row, type Rows, type Source, type Table } from '../../src/kernel/projection.ts'
import { type RecordOutputs, recordKey, recordsProjection } from '../../src/projections/records.ts'
import type { Random } from './random.ts'

export interface Sourced {
  event: RecordPushed
  source: Source
}

/** What the projection has put out; `key` only where it is its own. */
export type Output = {
  [Name in keyof RecordOutputs]: { readonly type: Name; readonly event: RecordOutputs[Name]; readonly key?: string }
}[keyof RecordOutputs]

/** A store's tables as maps, and batches that see the rows they asked for and no others. */
export function memory() {
  const tables = new Map<string, Map<string, Row>>(recordsProjection.tables.map(({ name }) => [name, new Map()]))
  return {
    /** Folds a batch; its rows are kept only when `keep` is true, as after a commit. */
    fold(batch: readonly Sourced[], keep = true): Output[] {
      const wanted = new Map<string, Row | undefined>()
      const place = (table: Table, key: string) => JSON.stringify([table.name, key])
      for (const { source } of batch) {
        recordsProjection.wants(source, (table, key) => wanted.set(place(table, key), tables.get(table.name)!.get(key)))
      }
      const written: [Table, string, Row][] = []
      const rows: Rows = {
        get(table, key) {
          if (!wanted.has(place(table, key))) throw new Error(`${place(table, key)} was not asked for`)
          return wanted.get(place(table, key))
        },
        put(table, key, row) {
          if (!wanted.has(place(table, key))) throw new Error(`${place(table, key)} was not asked for`)
          const version = followed(table, wanted.get(place(table, key)), row)
          if (version) written.push([table.versions!, `${key}@${version.offset}`, version])
          wanted.set(place(table, key), row)
          written.push([table, key, row])
        },
      }
      const outputs: Output[] = []
      const emit: Emit<RecordOutputs> = (type, make, key) =>
        void outputs.push({ type, event: make(), ...(key === undefined ? {} : { key }) } as Output)
      for (const { event, source } of batch) recordsProjection.evolve(rows, event, source, 'RecordPushed', emit)
      // As a store does: what is written is values, whatever happens to the row's object.
      if (keep) for (const [table, key, row] of written) tables.get(table.name)!.set(key, { ...row })
      return outputs
    },
    rows: (table = ''): Row[] => [...(tables.get(table)?.values() ?? [])],
    /** All rows of all tables as one text, in an order of their own. */
    text: () =>
      [...tables]
        .map(([name, rows]) => [name, ...[...rows].map(row => JSON.stringify(row)).sort()].join('\n'))
        .join('\n\n'),
  }
}

const DATA = ['{}', '{"a":1}', '{"a":1.0}', '{"a":2,"b":"x"}', '{"b":"x","a":2}', '{"n":9007199254740993}']

const TIMES = [null, null, '2026-01-02T03:04:05+01:00', '2026-01-02T03:04:05.5Z', '2026-01-02T02:04:05Z']
const POLICIES = [
  null,
  ...['last_write_wins', 'source_wins', 'keep_current', 'field_merge', 'field_merge', 'manual'].map(
    name => `"${name}"`,
  ),
  '{"type":"source_priority","sources":["erp","till"]}',
]

/** What a push says of conflicts: most nothing, some the policy of their data set, a few that they end one. */
function randomHandling(random: Random): RecordPushed['conflict'] {
  const policy = random.pick(POLICIES)
  if (random.chance(0.1)) {
    const resolution = random.pick(['accept_incoming', 'keep_current', 'merge'])
    return { policy, resolves: `conf_${random.int(5)}`, resolution, write: random.chance(0.5) }
  }
  return policy === null ? null : { policy, resolves: null, resolution: null, write: true }
}

function randomOrigin(random: Random): RecordPushed['origin'] {
  const strategy = random.pick(['dilution', 'noise'])
  return { dataset_id: random.pick(['ds_1', 'ds_2']), record_id: `r"${random.int(3)}`, strategy, seed: '7' }
}

/** Pushes to a few records of a few data sets, in two streams as their keys would have it. */
export function randomEvents(random: Random, count: number): Sourced[] {
  const offsets = [0, 0]
  let time = 1_750_000_000_000
  return Array.from({ length: count }, (_, line) => {
    const [dataset, id] = [random.pick(['orders', 'till-ä']), random.pick(['1', '2', '3', '😀'])]
    const partition = (dataset.length + id.length) % 2
    offsets[partition]! += 1 + random.int(3)
    time += random.int(2)
    const event: RecordPushed = {
      dataset,
      id,
      op: random.chance(0.3) ? 'delete' : 'upsert',
      data: random.pick(DATA),
      version: random.chance(0.3) ? random.int(6) : null,
      updated_at: random.pick(TIMES),
      upsert: random.chance(0.8),
      source: random.pick(['till', 'erp', 'shop']),
      actor: 'cli_1',
      request_id: 'req_1',
      line,
      received_at: time,
      job_id: null,
      conflict: randomHandling(random),
      origin: random.chance(0.3) ? randomOrigin(random) : null,
      keeps_rules: random.pick([null, true, false]),
    }
    const source = { stream: `sync.records-${partition}`, offset: offsets[partition]!, key: recordKey(dataset, id) }
    return { event, source }
  })
}

export function folded(batches: readonly (readonly Sourced[])[]) {
  const store = memory()
  const outputs = batches.flatMap(batch => store.fold(batch))
  return { store, outputs, ...sorted(outputs) }
}

/** Outputs by their type. */
export function sorted(outputs: readonly Output[]) {
  const of = (type: Output['type']) => outputs.filter(output => output.type === type).map(({ event }) => event)
  return {
    changes: of('RecordChanged') as RecordChanged[],
    news: of('ConflictTold') as ConflictTold[],
    conflicts: of('ConflictDetected') as ConflictDetected[],
  }
}
