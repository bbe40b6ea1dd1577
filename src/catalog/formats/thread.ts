import { extname } from 'node:path'
import { parentPort, Worker, workerData } from 'node:worker_threads'
import { DomainError, type ErrorDetail } from '../../kernel/errors.ts'
import type { FormatLimits, FormatReader, RowSink } from './format.ts'
import { createPacker, type PackedRows } from './packed.ts'

/*
 * Reads a file in a thread of its own, with a heap of its own: a file that is heavier than it should be ends its thread
 * and nothing else.
 */

export interface FileReading {
  readonly path: string
  readonly format: string
  /** As `checkOptions` gave them. */
  readonly options: Readonly<Record<string, unknown>>
  readonly limits: FormatLimits
  /** Rows up to this number are passed over. */
  readonly after: number
  readonly pageRows: number
  readonly pageBytes: number
}

type FromReader =
  | { readonly page: PackedRows }
  | { readonly notice: string }
  | { readonly columns: readonly string[] }
  | { readonly count: number }
  | { readonly failed: Failed }

interface Failed {
  /** Whether the file or an option is to blame, and not we. */
  readonly domain: boolean
  readonly message: string
  readonly details?: readonly ErrorDetail[]
  readonly row: number
}

/**
 * Rows of the first page: whoever handles them, and whoever follows those, begins that much earlier. Each further one has
 * twice as many, up to what was asked for.
 */
const FIRST_PAGE_ROWS = 1000
/** Pages that may be on their way: one that is read while the other is handled. */
const AHEAD = 2
const HEAP_MB = { maxOldGenerationSizeMb: 384, maxYoungGenerationSizeMb: 16 }

/** Its rows, page by page; fails with a VALIDATION_ERROR where the file is damaged, after the rows before that. */
export async function* readInThread(
  reading: FileReading,
  signal: AbortSignal,
  onNotice: (notice: string) => void,
): AsyncGenerator<PackedRows, void> {
  const worker = start({ ...reading, counting: false })
  const inbox: FromReader[] = []
  let wake: () => void = () => undefined
  const put = (message: FromReader) => {
    inbox.push(message)
    wake()
  }
  listen(worker, put)
  const stop = () => put({ failed: { domain: true, message: 'the reading was stopped', row: 0 } })
  signal.addEventListener('abort', stop)
  try {
    for (;;) {
      while (inbox.length === 0) {
        await new Promise<void>(resolve => {
          wake = resolve
        })
      }
      const message = inbox.shift()!
      signal.throwIfAborted()
      if ('count' in message) return
      if ('failed' in message) throw failure(message.failed)
      if ('notice' in message) onNotice(message.notice)
      else if ('page' in message) {
        yield message.page
        worker.postMessage('taken')
      }
    }
  } finally {
    signal.removeEventListener('abort', stop)
    await worker.terminate()
  }
}

export interface Counted {
  readonly rows: number
  /** What is wrong with it when not all of it can be read. */
  readonly damage: DomainError | undefined
  /** Its columns, where all rows have the same. */
  readonly columns: readonly string[] | undefined
}

/** How many rows it has, and what else is to be known before they are read. */
export async function countInThread(reading: Omit<FileReading, 'after' | 'pageRows' | 'pageBytes'>): Promise<Counted> {
  const worker = start({ ...reading, counting: true, after: 0, pageRows: 1, pageBytes: 1 })
  let columns: readonly string[] | undefined
  try {
    const message = await new Promise<FromReader>(resolve =>
      listen(worker, each => {
        if ('columns' in each) columns = each.columns
        else if (!('notice' in each)) resolve(each)
      }),
    )
    if ('count' in message) return { rows: message.count, damage: undefined, columns }
    if (!('failed' in message)) throw new Error('a count gave rows')
    const damage = failure(message.failed)
    if (damage instanceof DomainError) return { rows: Math.max(0, message.failed.row - 1), damage, columns }
    throw damage
  } finally {
    await worker.terminate()
  }
}

function start(data: FileReading & { counting: boolean }): Worker {
  return new Worker(new URL(import.meta.url), { workerData: { reading: data }, resourceLimits: HEAP_MB, name: 'file' })
}

function listen(worker: Worker, put: (message: FromReader) => void): void {
  worker.on('message', put)
  worker.on('error', (error: NodeJS.ErrnoException) => {
    const heavy = error.code === 'ERR_WORKER_OUT_OF_MEMORY'
    const message = heavy
      ? `the file needs more memory than the ${HEAP_MB.maxOldGenerationSizeMb} MB that reading one may take`
      : (error.stack ?? error.message)
    put({ failed: { domain: heavy, message, row: 0 } })
  })
  // After its last message, or for a reason that nothing else tells.
  worker.on('exit', code => put({ failed: { domain: false, message: `the thread ended with ${code}`, row: 0 } }))
}

function failure({ domain, message, details = [] }: Failed): Error {
  return domain ? new DomainError('VALIDATION_ERROR', message, { details }) : new Error(message)
}

/** What reads the one format that is wanted, and nothing else: a thread begins with nothing, and is waited for. */
async function load(name: string): Promise<FormatReader> {
  const file = new URL(`${name}/reader${extname(import.meta.url)}`, import.meta.url)
  return ((await import(file.href)) as { reader: FormatReader }).reader
}

/** The thread's own part. */
async function work({ counting, ...reading }: FileReading & { counting: boolean }): Promise<void> {
  const port = parentPort!
  const tell = (message: FromReader) => port.postMessage(message)
  const format = await load(reading.format)
  const rows = createPacker()
  let pageRows = Math.min(FIRST_PAGE_ROWS, reading.pageRows)
  let bytes = 0
  let ahead = 0
  let last = 0
  let go: () => void = () => undefined
  port.on('message', () => {
    ahead--
    go()
  })

  /** Sends what is collected; a promise when it is time to wait for whoever handles it. */
  function send(): void | Promise<void> {
    if (rows.count > 0) tell({ page: rows.take() })
    pageRows = Math.min(2 * pageRows, reading.pageRows)
    bytes = 0
    ahead++
    if (ahead < AHEAD) return
    return new Promise<void>(resolve => {
      go = resolve
    })
  }

  function taken(number: number, size: number): void | Promise<void> {
    last = number
    bytes += size
    if (rows.count >= pageRows || bytes >= reading.pageBytes) return send()
  }

  const sink: RowSink = {
    row(number, json, from, to) {
      rows.row(number, json, from, to)
      return taken(number, json.length)
    },
    refuse(number, refusal, original, originalBytes) {
      rows.refuse(number, refusal, original, originalBytes)
      return taken(number, original.length)
    },
  }
  const { path, limits, after } = reading
  const control = {
    ...{ limits, after },
    onNotice: (notice: string) => tell({ notice }),
    onColumns: (columns: readonly string[]) => tell({ columns }),
  }
  try {
    const count = counting
      ? await format.count(path, reading.options, control)
      : await format.read(path, reading.options, sink, control)
    await send()
    tell({ count })
  } catch (error) {
    if (rows.count > 0) await send()
    const row = (error as { row?: number }).row ?? last + 1
    if (error instanceof DomainError) {
      const { message, details } = error
      tell({ failed: { domain: true, message, details, row } })
    } else tell({ failed: { domain: false, message: String((error as Error).stack), row } })
  }
  port.close()
}

if (parentPort && workerData?.reading) await work(workerData.reading)
