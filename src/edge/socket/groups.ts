import type { Told } from './changes.ts'
import {
  type AboutJob,
  compileFilter,
  compileJobFilter,
  type Filter,
  type FilterSpec,
  filterKey,
  type JobFilter,
  type Wanted,
  wantedBy,
} from './filter.ts'

/** Subscribers with the same filter: they share a topic, and each change is matched and published once for all of them. */
export interface Group {
  readonly topic: string
  readonly matches: Filter
  readonly matchesJob: JobFilter
}

/** All groups, so that a change is matched with those alone that may want it. */
export interface Groups {
  readonly size: number
  /** Whether any of them asks for the progress of files alone. */
  readonly askFiles: boolean
  /** The group of a filter, with one member more. */
  join(spec: FilterSpec): Group
  leave(group: Group): void
  /** Calls `each` with the groups that want it. */
  wanting(told: Told, each: (group: Group) => void): void
  wantingJob(news: AboutJob, each: (group: Group) => void): void
}

interface Entry extends Group {
  readonly key: string
  readonly wanted: Wanted
  members: number
}

/** Groups by the one thing that tells them apart best: a record, a job, a data set. */
type Index = Map<string, Set<Entry>>

export function createGroups(): Groups {
  const groups = new Map<string, Entry>()
  const byRecord: Index = new Map()
  const byJob: Index = new Map()
  const byDataset: Index = new Map()
  const jobsByJob: Index = new Map()
  const others = new Set<Entry>()
  const jobOthers = new Set<Entry>()
  let topics = 0
  let askingFiles = 0

  /** Where a group is found: the sets that are by a name, and those that are looked through each time. */
  function placesOf({ wanted }: Entry): [named: [Index, string][], plain: Set<Entry>[]] {
    const { record_ids, job_id, dataset, types } = wanted
    const named: [Index, string][] = []
    const plain: Set<Entry>[] = []
    const ofJobs = types.some(type => type === 'job_status' || type.endsWith('_progress'))
    const ofRecords = types.some(type => type.startsWith('record_') || type.startsWith('conflict_'))
    if (ofJobs && job_id !== undefined) named.push([jobsByJob, job_id])
    else if (ofJobs) plain.push(jobOthers)
    if (!ofRecords) return [named, plain]
    if (record_ids) named.push(...record_ids.map((id): [Index, string] => [byRecord, id]))
    else if (job_id !== undefined) named.push([byJob, job_id])
    else if (dataset !== undefined) named.push([byDataset, dataset])
    else plain.push(others)
    return [named, plain]
  }

  return {
    get size() {
      return groups.size
    },
    get askFiles() {
      return askingFiles > 0
    },
    join(spec) {
      const wanted = wantedBy(spec)
      const key = filterKey(wanted)
      let group = groups.get(key)
      if (!group) {
        const filters = { matches: compileFilter(wanted), matchesJob: compileJobFilter(wanted) }
        group = { key, wanted, topic: `changes/${topics++}`, ...filters, members: 0 }
        groups.set(key, group)
        const [named, plain] = placesOf(group)
        for (const [index, name] of named) index.set(name, (index.get(name) ?? new Set()).add(group))
        for (const set of plain) set.add(group)
        if (wanted.types.includes('file_progress')) askingFiles++
      }
      group.members++
      return group
    },
    leave(left) {
      const group = left as Entry
      group.members--
      if (group.members > 0) return
      groups.delete(group.key)
      if (group.wanted.types.includes('file_progress')) askingFiles--
      const [named, plain] = placesOf(group)
      for (const [index, name] of named) {
        const set = index.get(name)
        set?.delete(group)
        if (set?.size === 0) index.delete(name)
      }
      for (const set of plain) set.delete(group)
    },
    wanting(told, each) {
      const { id, job_id, dataset } = told.data
      const candidates = [
        byRecord.get(id),
        job_id === null ? undefined : byJob.get(job_id),
        byDataset.get(dataset),
        others,
      ]
      for (const set of candidates) if (set) for (const group of set) if (group.matches(told)) each(group)
    },
    wantingJob(news, each) {
      for (const set of [jobsByJob.get(news.jobId), jobOthers])
        if (set) for (const group of set) if (group.matchesJob(news)) each(group)
    },
  }
}
