import { canonicalJson } from '../../src/kernel/canonical.ts'
import { between } from './faults.ts'
import type { Random } from './random.ts'

/** One pushed record, with a number that no other push of the run has: it is in the record's data. */
export interface Push {
  readonly number: number
  /** The connection it went through; pushes of one connection have a promised order. */
  readonly by: number
  readonly dataset: string
  readonly id: string
  readonly op: 'upsert' | 'delete'
  /** JSON text, byte for byte as sent. */
  readonly data: string
  /** The version that it says it was made from: for some an early one, so that they conflict. */
  readonly version: number | null
}

/** What the writers of a run have sent, and what they were promised. */
export interface Ledger {
  readonly pushes: readonly Push[]
  /** The position each acknowledged push was answered with. */
  readonly acknowledged: ReadonlyMap<number, string>
  make(by: number): Push
  acknowledge(push: Push, position: string): void
  /** A number for a connection that is about to be opened. */
  connection(): number
}

export const DATASETS = ['people', 'orders', 'mediçon 数据']
export const HOT = 40
const FILLER = 'x'.repeat(200)

/** Half of the pushes bring ids of their own; the others update and delete the same few again and again. */
export function createLedger(random: Random): Ledger {
  const pushes: Push[] = []
  const acknowledged = new Map<number, string>()
  let connections = 0
  return {
    pushes,
    acknowledged,
    connection: () => connections++,
    make(by) {
      const number = pushes.length
      const hot = random.chance(0.5)
      const id = hot ? `hot-${between(random, 1, HOT)}` : `own-${number}`
      const filler = FILLER.slice(0, between(random, 0, 200))
      const data = `{"push":${number},"exact":90071992547409931.50, "text":"é\\u00e9 ${filler}","hot":${hot}}`
      const op = hot && random.chance(0.1) ? 'delete' : 'upsert'
      const version = hot && random.chance(0.1) ? between(random, 0, 5) : null
      const push: Push = { number, by, dataset: random.pick(DATASETS), id, op, data, version }
      pushes.push(push)
      return push
    },
    acknowledge: (push, position) => void acknowledged.set(push.number, position),
  }
}

export function recordText({ id, op, dataset, data, version }: Push): string {
  const removal = op === 'delete' ? '"op":"delete",' : ''
  const rest = version === null ? removal : `${removal}"metadata":{"version":${version}},`
  return `{"id":${JSON.stringify(id)},"dataset":${JSON.stringify(dataset)},${rest}"data":${data}}`
}

const NUMBER = /^\{"push":(\d+),/

/** The number of the push that a record's data belongs to. */
export function pushNumber(data: string): number {
  const match = NUMBER.exec(data)
  if (!match) throw new Error(`not the data of a push of this run: ${canonicalJson(data).slice(0, 100)}`)
  return Number(match[1])
}
