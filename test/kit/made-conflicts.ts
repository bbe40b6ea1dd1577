import type { ConflictDetected } from '../../src/events/index.ts'
import type { Sourced } from './fold.ts'
import type { Random } from './random.ts'

const DATA = [null, '{}', '{"a":"\\u0000","n":9007199254740993}', '{"ä":"😀"}']
const TYPES = ['version', 'concurrent_field', 'delete_update', 'insert_insert']
const RESOLUTIONS = ['accept_incoming', 'keep_current', 'merge']

/** Conflicts of a few records, each found, and then decided and opened again; each in one stream. */
export function randomConflicts(random: Random, count: number): Sourced[] {
  const open = new Map<string, boolean>()
  const offsets = [-1, -1]
  return Array.from({ length: count }, (_, n): Sourced => {
    const known = open.size > 0 && random.chance(0.6)
    const conflict_id = known ? random.pick([...open.keys()]) : `conf_${String(n).padStart(5, '0')}`
    const key = `conflict/${conflict_id}`
    const partition = Number(conflict_id.slice(-1)) % 2
    offsets[partition]! += 1 + random.int(3)
    const source = { stream: `sync.conflicts-${partition}`, offset: offsets[partition]!, key }
    const at = 1_750_000_000_000 + n
    if (!known) {
      const event = found(random, conflict_id, at)
      open.set(conflict_id, event.resolution === null)
      return { type: 'ConflictDetected', event, source }
    }
    const stamp = { command_id: `cmd_${n}`, conflict_id, by: 'cli_1', at }
    const wasOpen = open.get(conflict_id)!
    open.set(conflict_id, !wasOpen)
    if (!wasOpen) return { type: 'ConflictReopened', event: stamp, source }
    return { type: 'ConflictResolved', event: { ...stamp, resolution: random.pick(RESOLUTIONS) }, source }
  })
}

function found(random: Random, conflict_id: string, detected_at: number): ConflictDetected {
  const time = () => random.pick([null, '2026-01-02T03:04:05.678901234+01:00'])
  return {
    ...{ conflict_id, dataset: random.pick(['orders', 'stock']), record_id: random.pick(['1', 'ä "x"']) },
    ...{ conflict_type: random.pick(TYPES), policy: 'manual', resolution: random.pick([null, ...RESOLUTIONS]) },
    ...{ current: random.pick(DATA), current_version: 1 + random.int(5), current_updated_at: time() },
    ...{ current_source: random.pick([null, 'erp']), incoming: random.pick(DATA), incoming_updated_at: time() },
    ...{ incoming_version: random.pick([null, 0, 3]), fields: random.pick([[], ['a'], ['ä', 'a\u0000"b']]) },
    ...{ source: 'till', request_id: 'req_1', job_id: random.pick([null, 'job_1']) },
    ...{ source_stream: 'sync.records-1', source_offset: random.int(1000), detected_at },
  }
}
