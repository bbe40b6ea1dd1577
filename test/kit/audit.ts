import type { ConflictDetected, ConflictTold, RecordChanged, RecordPushed } from '../../src/events/index.ts'
import { decodePosition, offsetIn } from '../../src/kernel/position.ts'
import { createCodec } from '../../src/log/codec.ts'
import type { Log, StoredEvent, Stream } from '../../src/log/log.ts'
import { readAll } from './events.ts'
import { type Ledger, pushNumber } from './ledger.ts'
import type { Told } from './subscriber.ts'

const SHOWN = 20
const SHOWN_CHARACTERS = 500

/** What is wrong, in words; the first of many, so that a failed test can be read. */
export type Faults = string[]

function collect(): { faults: Faults; add: (fault: string) => void } {
  const faults: Faults = []
  return { faults, add: fault => void (faults.length < SHOWN && faults.push(fault.slice(0, SHOWN_CHARACTERS))) }
}

/**
 * Compares `sync.records` with what the writers sent and were promised: every acknowledged push exactly once, every
 * other at most once, none that nobody sent, each as it was sent, those of one connection to one record in order, and
 * each at or before the position that acknowledged it.
 */
export async function auditPushes(log: Log, ledger: Ledger): Promise<Faults> {
  const { faults, add } = collect()
  const codec = createCodec(log)
  const times = new Uint32Array(ledger.pushes.length)
  const lastOf = new Map<string, number>()

  function check(stream: Stream, { offset }: StoredEvent, event: RecordPushed): void {
    const number = pushNumber(event.data)
    const push = ledger.pushes[number]
    if (!push) return add(`push ${number} was never sent`)
    times[number]!++
    const same = (['data', 'id', 'dataset', 'op', 'version'] as const).every(part => push[part] === event[part])
    if (!same) add(`push ${number} is not what was sent: ${JSON.stringify(event)}`)
    const order = `${push.by} ${push.dataset} ${push.id}`
    if (number < (lastOf.get(order) ?? -1)) add(`push ${number} comes after ${lastOf.get(order)} of its connection`)
    lastOf.set(order, number)
    const answered = ledger.acknowledged.get(number)
    if (answered === undefined) return
    const reached = offsetIn(decodePosition(answered, log.id, 'position'), stream.name)
    if (reached < offset) add(`push ${number} is at ${stream.name} ${offset}, its receipt says ${answered}`)
  }

  for (const stream of log.streams('sync.records')) {
    const events = await readAll(log, stream)
    await codec.prepare(events)
    for (const event of events) check(stream, event, codec.decode(event.value).data as RecordPushed)
  }
  for (const [number, count] of times.entries()) {
    if (count > 1) add(`push ${number} is there ${count} times`)
    if (count === 0 && ledger.acknowledged.has(number)) add(`push ${number} was acknowledged and is not there`)
  }
  return faults
}

/** A change that the log holds. */
export interface Change {
  readonly change: RecordChanged
  /** Key and value as they are in the log. */
  readonly bytes: string
}

export interface Changes {
  /** By the place of the record each follows from, in the order of the log. */
  readonly once: ReadonlyMap<string, Change>
  /** News of conflicts, and conflicts, by the place that they follow from: key and value as they are in the log. */
  readonly news: ReadonlyMap<string, string>
  readonly conflicts: ReadonlyMap<string, string>
  readonly faults: Faults
}

export function placeOf({ source_stream, source_offset }: RecordChanged | ConflictTold | ConflictDetected): string {
  return `${source_stream} ${source_offset}`
}

/** Reads `sync.changes` and `sync.conflicts`: each source is told of once, in the order of the sources. */
export async function readChanges(log: Log): Promise<Changes> {
  const { faults, add } = collect()
  const codec = createCodec(log)
  const once = new Map<string, Change>()
  const news = new Map<string, string>()
  const conflicts = new Map<string, string>()
  const reached = new Map<string, number>()
  for (const stream of [...log.streams('sync.changes'), ...log.streams('sync.conflicts')]) {
    const events = await readAll(log, stream)
    await codec.prepare(events)
    for (const { key, value, offset } of events) {
      const { type, data } = codec.decode(value)
      if (type !== 'RecordChanged' && type !== 'ConflictTold' && type !== 'ConflictDetected') continue
      const place = placeOf(data)
      const told = type === 'RecordChanged' ? once : type === 'ConflictTold' ? news : conflicts
      const bytes = key.toString('latin1') + value.toString('latin1')
      const order = `${type} ${stream.name} ${data.source_stream}`
      if (told.has(place)) add(`the ${type} at ${stream.name} ${offset} tells of ${place} again`)
      if (data.source_offset <= (reached.get(order) ?? -1))
        add(`the ${type} at ${stream.name} ${offset} follows from ${place}, after a later one`)
      reached.set(order, data.source_offset)
      if (type === 'RecordChanged') once.set(place, { change: data, bytes })
      else (type === 'ConflictTold' ? news : conflicts).set(place, bytes)
    }
  }
  for (const place of conflicts.keys()) if (!news.has(place)) add(`nobody was told of the conflict at ${place}`)
  return { once, news, conflicts, faults }
}

/** Versions of each record must run 1, 2, 3 …, and every old value be the new one of the change before. */
export function auditChains(changes: Iterable<RecordChanged>): Faults {
  const { faults, add } = collect()
  const states = new Map<string, { version: number; fields: Record<string, unknown> }>()
  for (const { dataset, id, version, operation, changes: text } of changes) {
    const key = `${dataset} ${id}`
    const state = states.get(key) ?? { version: 0, fields: {} }
    if (version !== state.version + 1) add(`${key} goes from version ${state.version} to ${version}`)
    const there = Object.keys(state.fields).length > 0
    if (there === (operation === 'create')) add(`${key}: ${operation} of version ${version} does not fit`)
    state.version = version
    follow(key, state.fields, JSON.parse(text), add)
    states.set(key, state)
  }
  return faults
}

function follow(
  key: string,
  fields: Record<string, unknown>,
  changes: Record<string, { old: unknown; new: unknown }>,
  add: (fault: string) => void,
): void {
  for (const [name, change] of Object.entries(changes)) {
    const was = fields[name] ?? null
    if (change.old !== was) add(`${key}: ${name} was ${was}, the change says ${change.old}`)
    if (change.new === null) delete fields[name]
    else fields[name] = change.new
  }
}

/** A client must have been told of each change once, in the order of each record, with the place it is at. */
export function auditTold(log: Log, told: readonly Told[], changes: Changes): Faults {
  const { faults, add } = collect()
  const wanted = Map.groupBy(changes.once.values(), ({ change }) => `${change.dataset} ${change.id}`)
  const got = Map.groupBy(told, ({ dataset, id }) => `${dataset} ${id}`)
  for (const key of new Set([...wanted.keys(), ...got.keys()])) {
    const [want, have] = [wanted.get(key) ?? [], got.get(key) ?? []]
    if (want.length !== have.length) add(`${key}: ${want.length} changes, the client was told of ${have.length}`)
    for (const [i, { change }] of want.entries()) {
      const message = have[i]
      if (!message) break
      const same =
        message.operation === change.operation && message.changes === JSON.stringify(JSON.parse(change.changes))
      if (!same) {
        add(`${key}: change ${i + 1} follows from ${placeOf(change)}, the client was told of ${message.position}`)
        break
      }
      const reached = offsetIn(decodePosition(message.position, log.id, 'position'), change.source_stream)
      if (reached !== change.source_offset) add(`${key}: ${placeOf(change)} was sent with position ${message.position}`)
    }
  }
  return faults
}
