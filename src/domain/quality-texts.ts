import { quoted } from '../kernel/members.ts'
import { mergeSamples, readSample, sampleText } from './quality-sample.ts'
import { addColumn, COUNTS, createQuality, type QualityState } from './quality-state.ts'

/** A state as two texts: the profile changes with each record, the sample, once there are many, seldom. */
export interface QualityTexts {
  /** JSON: at most MAX_COLUMNS columns, about 60 characters each. */
  readonly profile: string
  /** At most SAMPLE hashes, about 12 characters each. */
  readonly sample: string
}

const VERSION = 1

/** The profile: the same text for the same records, in whatever order they came. */
export function profileText(state: QualityState): string {
  if (state.profileText !== null) return state.profileText
  const columns = [...state.columns.values()].sort((a, b) => (a.raw < b.raw ? -1 : 1))
  let text = `{"v":${VERSION},"records":${state.records},"bound":${state.bound},"verdicts":[${sparse(state.verdicts)}]`
  text += `,"buckets":[${sparse(state.buckets)}],"columns":[`
  text += columns.map(({ raw, present, counts }) => `[${raw},${present},${sparse(counts)}]`).join(',')
  state.profileText = `${text}]}`
  return state.profileText
}

export function hashesText(state: QualityState): string {
  state.sampleText ??= sampleText(state.sample)
  return state.sampleText
}

export function qualityTexts(state: QualityState): QualityTexts {
  return { profile: profileText(state), sample: hashesText(state) }
}

/** The state that its texts stand for. */
export function readQuality({ profile, sample }: QualityTexts): QualityState {
  const { v, records, bound, verdicts, buckets, columns } = JSON.parse(profile)
  if (v !== VERSION) throw new Error(`a quality profile of version ${v}, not ${VERSION}`)
  const state = { ...createQuality(), records, bound, sample: readSample(sample) }
  fill(state.verdicts, verdicts)
  fill(state.buckets, buckets)
  for (const [name, present, ...counts] of columns) {
    addColumn(state, quoted(name), fill(new Array(COUNTS).fill(0), counts), present)
  }
  state.profileText = profile
  state.sampleText = sample
  return state
}

/** Several states as one: the whole data set, of which each stream has counted its records. */
export function mergeQuality(states: readonly QualityState[]): QualityState {
  const merged = {
    ...createQuality(),
    records: states.reduce((sum, each) => sum + each.records, 0),
    bound: Math.min(2 ** 32, ...states.map(each => each.bound)),
    sample: mergeSamples(states.map(each => each.sample)),
  }
  for (const state of states) {
    add(merged.verdicts, state.verdicts)
    add(merged.buckets, state.buckets)
    for (const { raw, hash, counts, present } of state.columns.values()) {
      if (hash >>> 0 >= merged.bound) continue
      const known = merged.columns.get(raw) ?? addColumn(merged, raw, new Array(COUNTS).fill(0), 0)
      known.present += present
      add(known.counts, counts)
    }
  }
  return merged
}

function add(to: number[], from: readonly number[]): void {
  for (let i = 0; i < from.length; i++) to[i]! += from[i]!
}

/** What is not nought: place, number, place, number. */
function sparse(counts: readonly number[]): string {
  let text = ''
  for (let i = 0; i < counts.length; i++) if (counts[i] !== 0) text += `${text === '' ? '' : ','}${i},${counts[i]}`
  return text
}

function fill(counts: number[], from: readonly number[]): number[] {
  for (let i = 0; i < from.length; i += 2) counts[from[i]!] = from[i + 1]!
  return counts
}
