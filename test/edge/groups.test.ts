import { describe, expect, it } from 'vitest'
import type { Told } from '../../src/edge/socket/changes.ts'
import { type AboutJob, type FilterSpec, filterSchema } from '../../src/edge/socket/filter.ts'
import { createGroups, type Group } from '../../src/edge/socket/groups.ts'
import { property, type Random } from '../kit/random.ts'

const DATASETS = ['orders', 'stock']
const IDS = ['a', 'b', 'c']
const FIELDS = ['x', 'y', 'z']
const JOBS = ['job_1', 'job_2']
const OPERATIONS = ['create', 'update', 'delete'] as const
const TYPES = filterSchema.shape.event_types.unwrap().element.options

const some = <Value>(random: Random, values: readonly Value[]) =>
  Array.from({ length: 1 + random.int(3) }, () => random.pick(values))
const maybe = <Value>(random: Random, key: string, value: () => Value) => (random.chance(0.3) ? { [key]: value() } : {})

function randomSpec(random: Random): FilterSpec {
  return {
    ...maybe(random, 'dataset', () => random.pick(DATASETS)),
    ...maybe(random, 'table', () => random.pick(DATASETS)),
    ...maybe(random, 'record_ids', () => some(random, IDS)),
    ...maybe(random, 'operations', () => some(random, OPERATIONS)),
    ...maybe(random, 'fields', () => some(random, FIELDS)),
    ...maybe(random, 'job_id', () => random.pick(JOBS)),
    ...maybe(random, 'event_types', () => some(random, TYPES)),
  }
}

const told = (type: Told['type'], data: object) =>
  ({ type, data, offset: 0, place: 0, fields: undefined, head: undefined, bytes: undefined }) as unknown as Told

function randomTold(random: Random): Told {
  const about = { dataset: random.pick(DATASETS), id: random.pick(IDS), job_id: random.pick([...JOBS, null]) }
  if (random.chance(0.3)) return told('ConflictTold', { ...about, news: random.pick(['detected', 'resolved']) })
  const changes = JSON.stringify(Object.fromEntries(some(random, FIELDS).map(name => [name, { old: 1, new: 2 }])))
  return told('RecordChanged', { ...about, operation: random.pick(OPERATIONS), changes })
}

/** What the API says of a filter, read word by word. */
function wants(spec: FilterSpec, { type, data }: Told): boolean {
  const isChange = type === 'RecordChanged'
  const name = isChange ? (`record_${data.operation}d` as const) : (`conflict_${data.news}` as const)
  const changed = isChange ? Object.keys(JSON.parse(data.changes)) : []
  return (
    (spec.dataset ?? data.dataset) === data.dataset &&
    (spec.table ?? data.dataset) === data.dataset &&
    (spec.record_ids ?? [data.id]).includes(data.id) &&
    (!spec.operations || (isChange && spec.operations.includes(data.operation))) &&
    (!spec.fields || (isChange && spec.fields.some(field => changed.includes(field)))) &&
    (spec.job_id ?? data.job_id) === data.job_id &&
    (!spec.event_types || spec.event_types.includes(name))
  )
}

function wantsJob(spec: FilterSpec, { type, jobId, ofFile }: AboutJob): boolean {
  if (spec.dataset || spec.table || spec.record_ids || spec.operations || spec.fields) return false
  const types = spec.event_types
  const asked =
    !types || types.includes(type) || (ofFile && type === 'sync_progress' && types.includes('file_progress'))
  return asked && (spec.job_id ?? jobId) === jobId
}

describe('groups of subscribers', () => {
  it('are found for every change and all news by what their filter says, each once', () =>
    property(300, random => {
      const groups = createGroups()
      const joined = Array.from({ length: random.int(30) }, () => {
        const spec = randomSpec(random)
        return { spec, group: groups.join(spec) }
      })
      // Some have gone again.
      const left = joined.filter(() => random.chance(0.3))
      for (const { group } of left) groups.leave(group)
      const there = joined.filter(each => !left.includes(each))
      for (let n = 0; n < 20; n++) {
        const change = randomTold(random)
        const found: Group[] = []
        groups.wanting(change, group => found.push(group))
        const wanted = new Set(there.filter(({ spec }) => wants(spec, change)).map(({ group }) => group))
        expect(found.map(({ topic }) => topic).toSorted()).toEqual([...wanted].map(({ topic }) => topic).toSorted())
        const news: AboutJob = {
          type: random.pick(['job_status', 'sync_progress']),
          jobId: random.pick(JOBS),
          ofFile: random.chance(0.5),
        }
        const foundJobs: Group[] = []
        groups.wantingJob(news, group => foundJobs.push(group))
        const wantedJobs = new Set(there.filter(({ spec }) => wantsJob(spec, news)).map(({ group }) => group))
        expect(new Set(foundJobs)).toEqual(wantedJobs)
        expect(foundJobs).toHaveLength(wantedJobs.size)
      }
      for (const { group } of there) groups.leave(group)
      expect([groups.size, groups.askFiles]).toEqual([0, false])
    }))

  it.each<[string, FilterSpec, FilterSpec]>([
    ['the order of keys', { dataset: 'a', job_id: 'j' }, { job_id: 'j', dataset: 'a' }],
    ['the order of a list, and repeats in it', { fields: ['x', 'y', 'x'] }, { fields: ['y', 'x'] }],
    ['table for dataset', { dataset: 'a' }, { table: 'a' }],
    ['both, the same', { dataset: 'a' }, { table: 'a', dataset: 'a' }],
    ['operations for types', { operations: ['create'] }, { event_types: ['record_created'] }],
    [
      'types that cannot come',
      { dataset: 'a', event_types: ['record_created'] },
      { dataset: 'a', event_types: ['job_status', 'record_created'] },
    ],
    ['all types', {}, { event_types: [...TYPES] }],
    ['progress twice', { event_types: ['sync_progress'] }, { event_types: ['file_progress', 'sync_progress'] }],
    ['what lets nothing through', { dataset: 'a', table: 'b' }, { fields: ['x'], event_types: ['job_status'] }],
  ])('share a topic where filters mean the same: %s', (_what, one, other) => {
    const groups = createGroups()
    expect(groups.join(one)).toBe(groups.join(other))
    expect(groups.size).toBe(1)
  })

  it.each<[FilterSpec, FilterSpec]>([
    [{ dataset: 'a' }, { dataset: 'b' }],
    [{ dataset: 'a' }, { record_ids: ['a'] }],
    [{ record_ids: ['a,b'] }, { record_ids: ['a', 'b'] }],
    [{ fields: ['a'] }, { record_ids: ['a'] }],
    [{ event_types: ['file_progress'] }, { event_types: ['sync_progress'] }],
    [{ operations: ['create'] }, {}],
  ])('do not share a topic where they do not: %j and %j', (one, other) => {
    const groups = createGroups()
    expect(groups.join(one)).not.toBe(groups.join(other))
  })

  it('of other data sets, records and jobs are not even looked at', () => {
    const groups = createGroups()
    let looked = 0
    for (let n = 0; n < 1000; n++) {
      const spec = [{ dataset: `d${n}` }, { record_ids: [`r${n}`] }, { job_id: `j${n}` }][n % 3]!
      const group = groups.join(spec)
      const { matches } = group
      Object.assign(group, { matches: (change: Told) => ++looked > 0 && matches(change) })
    }
    const found: Group[] = []
    const change = told('RecordChanged', { dataset: 'd0', id: 'r1', job_id: 'j2', operation: 'create', changes: '{}' })
    groups.wanting(change, group => found.push(group))
    expect([found.length, looked]).toEqual([3, 3])
  })

  it('by fields read the changes once, however many they are', () => {
    const groups = createGroups()
    for (let n = 0; n < 50; n++) groups.join({ fields: ['x', `f${n}`] })
    let read = 0
    const data = { dataset: 'd', id: 'r', job_id: null, operation: 'create' }
    Object.defineProperty(data, 'changes', { get: () => `{"x":${++read}}` })
    let found = 0
    groups.wanting(told('RecordChanged', data), () => found++)
    expect([found, read]).toEqual([50, 1])
  })
})
