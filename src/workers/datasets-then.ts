import type { DatasetRecord, Datasets, LogMoment, RecordsAsked } from '../catalog/connectors/connector.ts'
import { SourceBusy } from '../catalog/connectors/connector.ts'
import { DomainError } from '../kernel/errors.ts'
import { pause, turn } from '../kernel/pause.ts'
import type { Row } from '../kernel/projection.ts'
import type { Log } from '../log/log.ts'
import { recordsProjection, records as recordsTable } from '../projections/records.ts'
import { settingsProjection, settings as settingsTable } from '../projections/settings.ts'
import type { Moment, Store } from '../store/store.ts'
import { type DilutionLimits, startDiluting } from './diluting.ts'

export interface DatasetsOptions extends Pick<Datasets, 'augmentation' | 'translator'> {
  readonly log: Log
  /** Opens the read store; asked for once, when it is needed. */
  readonly openStore: () => Promise<Store>
  /** How long the read model may be behind the log before a run waits. */
  readonly waitMs: number
  readonly dilution: DilutionLimits
}

const PROJECTIONS = [recordsProjection, settingsProjection]
const LOOK_MS = 50

/** Data sets as they were at a moment, read from the read store page by page; between pages others have their turn. */
export function readDatasets(options: DatasetsOptions): Datasets & { stop(): Promise<void> } {
  const { log, waitMs } = options
  let opened: Promise<Store> | undefined
  const store = () => {
    opened ??= options.openStore().catch(error => {
      // Not for all runs to come.
      opened = undefined
      throw error
    })
    return opened
  }

  /** The same moment for the store. Throws GONE for one of another log. */
  function momentOf({ log: id, offsets }: LogMoment): Moment {
    if (id === log.id) return new Map(Object.entries(offsets))
    throw gone('the log has been moved since')
  }

  return {
    augmentation: options.augmentation,
    translator: options.translator,
    dilute: (config, schema) => startDiluting(config, schema, options.dilution),
    async now(signal) {
      const topics = PROJECTIONS.flatMap(({ topics }) => topics)
      const offsets = new Map((await Promise.all(topics.map(topic => log.ends(topic)))).flatMap(all => [...all]))
      const reads = await store()
      const names = PROJECTIONS.map(({ name }) => name)
      for (const until = Date.now() + waitMs; ; ) {
        const reached = await reads.checkpoints(names)
        if ([...offsets].every(([stream, end]) => (reached.get(stream) ?? -1) >= end)) break
        if (Date.now() > until) throw new SourceBusy('the read model is behind what is in the log')
        await pause(LOOK_MS, signal)
        signal.throwIfAborted()
      }
      return { log: log.id, offsets: Object.fromEntries(offsets) }
    },
    async *records(dataset, then, asked) {
      const asOf = momentOf(then)
      const table = recordsTable
      for (let { after } = asked; !asked.signal.aborted; ) {
        const query = { table, equal: { dataset, deleted: 0 }, limit: asked.limit, asOf }
        const rows = await (await store()).page({ ...query, ...(after === undefined ? {} : { after }) }).catch(whenGone)
        if (rows.length === 0) return
        for (const page of cut(rows, asked)) {
          if (asked.signal.aborted) return
          yield page
          await turn()
        }
        after = rows.at(-1)!.id as string
      }
    },
    async schema(dataset, then) {
      const [row] = await (await store()).load(settingsTable, [[dataset]], momentOf(then)).catch(whenGone)
      return row?.schema ? JSON.parse(row.schema as string) : undefined
    },
    async stop() {
      await (await opened)?.stop()
    },
  }
}

/** A page of the store as pages of about so much text. */
function* cut(rows: readonly Row[], { bytes }: RecordsAsked): Generator<DatasetRecord[]> {
  let page: DatasetRecord[] = []
  let size = 0
  for (const { id, data, origin, verdict } of rows) {
    page.push({ id, data, origin: origin ?? null, verdict: verdict ?? 0 } as unknown as DatasetRecord)
    size += (data as string).length
    if (size < bytes) continue
    yield page
    page = []
    size = 0
  }
  if (page.length > 0) yield page
}

function whenGone(error: unknown): never {
  if (error instanceof DomainError && error.code === 'GONE') throw gone('VERSION_KEEP_SECONDS is over')
  throw error
}

function gone(why: string): DomainError {
  return new DomainError(
    'GONE',
    `what the data sets were when the job began is no longer kept (${why}): ask for it anew`,
  )
}
