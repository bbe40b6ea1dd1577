import { chanceOf, hashText52 } from '../../kernel/chance.ts'
import { invalid } from '../../kernel/errors.ts'
import { fingerprint } from '../../kernel/hash.ts'
import { membersOf, objectText, quoted, unquoted } from '../../kernel/members.ts'
import { createSeen } from '../../kernel/seen.ts'
import type { Augmenter, Change, Changed, Reason, Setting } from './augmenter.ts'
import { type Facts, MAX_COLUMNS } from './columns.ts'
import type { AugmentLimits, Request } from './request.ts'
import type { Translator } from './translators/translator.ts'

export interface SourceRow {
  readonly id: string
  /** JSON text of an object. */
  readonly data: string
}

export interface MadeRow extends SourceRow {
  readonly origin: {
    readonly dataset_id: string
    readonly record_id: string
    readonly strategy: string
    readonly seed: string
  }
}

/** How far a run is, as a checkpoint keeps it; JSON can hold it. */
export interface AugmentState {
  /** Source rows so far, and rows made of them. */
  readonly rows: number
  readonly made: number
  /** Rows that were to be made and were not, by why. */
  readonly refused: Readonly<Record<string, number>>
  /** By class: how many rows are still to be made of others of it, for those that could not be made. */
  readonly owed: Readonly<Record<string, number>>
}

export interface AugmentRun {
  /** Makes rows of the next rows of the source, in their order. */
  page(rows: readonly SourceRow[]): Promise<MadeRow[]>
  /** Made rows that are there from before a restart: they are not made again under another id. */
  remember(data: string): void
  readonly state: AugmentState
  /** Whether rows are made past the number that is remembered: from there on two alike may be made of different rows. */
  readonly forgets: boolean
}

export interface AugmentContext {
  readonly datasetId: string
  readonly seed: string
  readonly facts: Facts
  readonly translator: Translator | null
  readonly limits: AugmentLimits
  /** Where an earlier run of the same stopped. */
  readonly state?: AugmentState | undefined
  /** Ends a page before it is complete: it fails with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/** So often is a strategy tried on a row for one copy: what it made may have been made before. */
const TRIES = 3
const MAX_CLASSES = 10_000
/** How long rows may be made before others have their turn: who pauses a run, and the other runs of the thread. */
const TURN_MS = 50
const START: AugmentState = { rows: 0, made: 0, refused: {}, owed: {} }

interface Strategy {
  readonly entry: Augmenter
  readonly change: Change
  readonly columns: readonly string[]
}

/**
 * Starts making rows. A row's copies take the strategies in turn, from one that its id chooses; one that can do nothing
 * leaves the copy to the next. A copy that none can make is owed to its class: later rows of it give one more, so that
 * classes stay as they were to each other. All that is made follows from seed, record id and copy, wherever pages are cut.
 * Throws a VALIDATION_ERROR about `<field>.strategies` when there is no column that a strategy could change, and about a
 * column that the request names and no row has.
 */
export function startAugmenting(request: Request, field: string, context: AugmentContext): AugmentRun {
  const { facts, limits, seed, datasetId } = context
  requireColumns(request, field, facts)
  const setting: Setting = {
    protect: request.protect,
    dictionary: request.dictionary,
    facts,
    translator: context.translator,
  }
  const strategies = request.strategies.map(({ entry, config }): Strategy => {
    const kind = entry.changes === 'texts' ? 'text' : 'number'
    const columns = Object.keys(facts.columns).filter(name => facts.columns[name]!.kind === kind)
    if (columns.length === 0)
      throw invalid(`${field}.strategies`, `${entry.name}: there is no ${kind} column among ${list(facts)}`)
    return { entry, columns, change: entry.compile(config, setting) }
  })
  const labels = Object.keys(facts.columns).filter(name => facts.columns[name]!.kind === 'label')
  const seen = createSeen(limits.remembered)
  const state = structuredClone(context.state ?? START) as {
    -readonly [Key in keyof AugmentState]: AugmentState[Key]
  } & { refused: Record<string, number>; owed: Record<string, number> }

  async function tryOnce(
    row: SourceRow,
    fields: ReadonlyMap<string, string>,
    strategy: Strategy,
    copy: number,
    n: number,
  ) {
    const made = new Map(fields)
    let reason: Reason = 'nothing_to_change'
    let changed = false
    for (const name of strategy.columns) {
      const value = fields.get(name)
      if (value === undefined || value === 'null') continue
      const isText = value.charCodeAt(0) === 34
      if (isText !== (strategy.entry.changes === 'texts')) continue
      const chance = chanceOf(seed, row.id, copy, strategy.entry.name, name, n)
      const did = strategy.change(isText ? unquoted(value) : value, name, chance)
      // What needs no waiting is not waited for: a promise costs more than most changes.
      const done: Changed = did instanceof Promise ? await did : did
      if ('refused' in done) {
        if (reason === 'nothing_to_change') reason = done.refused
        continue
      }
      changed = true
      made.set(name, isText ? quoted(done.text) : done.text)
    }
    return changed ? objectText(made) : reason
  }

  /** One copy of a row, or why there is none. `siblings` are its data and that of its copies so far. */
  async function makeCopy(
    row: SourceRow,
    fields: ReadonlyMap<string, string>,
    copy: number,
    siblings: Set<string>,
  ): Promise<MadeRow | Reason> {
    const first = copy + chanceOf(seed, row.id, 'first').int(strategies.length)
    let reason: Reason = 'nothing_to_change'
    for (let s = 0; s < strategies.length; s++) {
      const strategy = strategies[(first + s) % strategies.length]!
      for (let n = 0; n < TRIES; n++) {
        const data = await tryOnce(row, fields, strategy, copy, n)
        if (!data.startsWith('{')) {
          if (reason === 'nothing_to_change') reason = data as Reason
          // Only what hangs on chance comes out otherwise another time.
          if (data === 'unchanged' && strategy.entry.needs === null) continue
          break
        }
        if (data.length > limits.rowLength) reason = 'too_long'
        else if (siblings.has(data)) reason = 'duplicate'
        else {
          siblings.add(data)
          const id = `aug_${fingerprint(JSON.stringify([seed, datasetId, row.id, copy]))}`
          const origin = { dataset_id: datasetId, record_id: row.id, strategy: strategy.entry.name, seed }
          return { id, data, origin }
        }
        if (strategy.entry.needs !== null) break
      }
    }
    return reason
  }

  /** The copies that a row gives by itself. */
  async function copiesOf(row: SourceRow) {
    const fields = membersOf(row.data)
    const siblings = new Set([objectText(fields)])
    const copies: (MadeRow | Reason)[] = []
    for (let copy = 1; copy < request.multiplier; copy++) copies.push(await makeCopy(row, fields, copy, siblings))
    return { row, fields, siblings, copies }
  }

  function classOf(fields: ReadonlyMap<string, string>): string {
    // Its hash, because checkpoints carry what is owed along, and a label may be long.
    return hashText52(JSON.stringify(labels.map(name => fields.get(name) ?? null))).toString(36)
  }

  /** Takes a copy in, unless another row has made the same. */
  function accept(copy: MadeRow | Reason, made: MadeRow[]): Reason | undefined {
    if (typeof copy === 'string') return copy
    if (!seen.add(hashText52(copy.data))) return 'duplicate'
    made.push(copy)
    state.made++
    return undefined
  }

  async function settle({ row, fields, siblings, copies }: Awaited<ReturnType<typeof copiesOf>>, made: MadeRow[]) {
    state.rows++
    const name = classOf(fields)
    const owed = state.owed[name] ?? 0
    let [missing, paid] = [0, 0]
    for (const copy of copies) {
      const reason = accept(copy, made)
      if (!reason) continue
      missing++
      state.refused[reason] = (state.refused[reason] ?? 0) + 1
    }
    for (let copy = request.multiplier; missing === 0 && paid < owed && copy < 2 * request.multiplier - 1; copy++) {
      if (!accept(await makeCopy(row, fields, copy, siblings), made)) paid++
    }
    const left = owed + missing - paid
    if (left === 0) delete state.owed[name]
    else if (owed > 0 || Object.keys(state.owed).length < MAX_CLASSES) state.owed[name] = left
  }

  let since = performance.now()
  async function giveTurn(): Promise<void> {
    if (performance.now() - since < TURN_MS) return
    await new Promise(resolve => setImmediate(resolve))
    since = performance.now()
    context.signal?.throwIfAborted()
  }

  return {
    async page(rows) {
      const made: MadeRow[] = []
      // Translations are asked for many rows at once; the rest is done row by row, in order.
      const waits = strategies.some(({ entry }) => entry.needs !== null)
      const begun = waits ? await Promise.all(rows.map(copiesOf)) : undefined
      for (const [at, row] of rows.entries()) {
        await giveTurn()
        await settle(begun?.[at] ?? (await copiesOf(row)), made)
      }
      return made
    },
    remember: data => void seen.add(hashText52(data)),
    get state() {
      return structuredClone(state)
    },
    get forgets() {
      return seen.full
    },
  }
}

/** A label whose name is misspelt would be changed like any text. */
function requireColumns({ labels = [], texts = [] }: Request, field: string, { columns }: Facts): void {
  // Of more columns it is not known which there are.
  if (Object.keys(columns).length >= MAX_COLUMNS) return
  for (const [told, names] of Object.entries({ label_columns: labels, text_columns: texts })) {
    const at = names.findIndex(name => !Object.hasOwn(columns, name))
    if (at >= 0) throw invalid(`${field}.${told}.${at}`, `no record has "${names[at]!.slice(0, 200)}"`)
  }
}

function list({ columns }: Facts): string {
  const kinds = Object.entries(columns).map(([name, { kind }]) => `${name} (${kind})`)
  const shown = kinds.slice(0, 20).join(', ')
  return kinds.length > 20 ? `${shown} and ${kinds.length - 20} more` : shown || 'none'
}
