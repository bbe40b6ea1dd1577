import { DomainError } from '../../../kernel/errors.ts'
import { passPoint } from '../../../kernel/points.ts'
import type { Sink, SinkContext, SinkPage, SinkRefusal } from '../destination.ts'
import { createBooks, type Entry } from './books.ts'
import { type Connection, RowFault, ShapeFault } from './connection.ts'
import { createLanding } from './landing.ts'
import { besideTable, shownTable, type TableName } from './names.ts'
import { createReplacement } from './replace.ts'
import type { Writing } from './rows.ts'
import { createSeen } from './seen.ts'

export interface DatabaseSinkOptions {
  readonly connection: Connection
  /** Where the rows are to be in the end. */
  readonly target: TableName
  readonly writing: Writing
  readonly context: Pick<SinkContext, 'jobId' | 'runId' | 'signal' | 'whole' | 'log'>
}

/** A table of a database as a sink: a page's rows and the job's checkpoint are one transaction there. */
export async function openDatabaseSink({ connection, target, writing, context }: DatabaseSinkOptions): Promise<Sink> {
  const { jobId, runId, signal, whole, log } = context
  const { mode, keys, onDelete } = writing
  const books = createBooks(connection, target.schema, { id: jobId, target: `${shownTable(target)} ${mode}` })
  const staging = mode === 'replace' ? besideTable(target, 'new', jobId) : undefined
  const replacement = staging && createReplacement(connection, target, staging, log)
  const looksForDeleted = whole && onDelete !== 'ignore' && !replacement
  const seen = looksForDeleted ? createSeen(connection, besideTable(target, 'seen', jobId), keys) : undefined
  const landing = createLanding({
    ...{ connection, seen, log, name: staging ?? target, makeTable: async () => replacement?.make() ?? false },
    // In a table that is made anew nothing is left of a deleted row.
    writing: replacement && keys.length > 0 ? { ...writing, onDelete: 'hard' } : writing,
  })
  let checkpoint: Entry | undefined

  /** Works in a transaction; once more when somebody has changed a table since it was looked at. */
  async function inTransaction<T>(work: () => Promise<T>, long?: 'long'): Promise<T> {
    for (let tries = 1; ; tries++) {
      let committed = false
      try {
        signal.throwIfAborted()
        const result = await connection.transaction(work, long)
        committed = true
        return result
      } catch (error) {
        signal.throwIfAborted()
        const isShape = error instanceof ShapeFault
        if (!isShape && !(error instanceof RowFault)) throw error
        if (!isShape || tries === 2)
          throw new DomainError('VALIDATION_ERROR', `${shownTable(target)}: ${error.message}`)
      } finally {
        books.ended(committed)
        if (!committed) landing.forget()
      }
    }
  }

  async function beginRun(): Promise<void> {
    await replacement?.begin()
    await seen?.remove()
    landing.forget()
  }

  async function write(page: SinkPage, onRefused: (refused: readonly SinkRefusal[]) => Promise<void>): Promise<void> {
    checkpoint = await inTransaction(async () => {
      const held = await books.lock()
      if (held && held.number >= page.number) return held
      if (held && held.number >= (page.first ?? page.number)) throw overlap(page, held)
      const isNewRun = held?.runId !== runId
      if (isNewRun) await beginRun()
      const { refused, columns } = await landing.take(page.rows, held?.columns ?? [], isNewRun)
      if (refused.length > 0) await onRefused(refused)
      passPoint('sink.refused-told')
      signal.throwIfAborted()
      const all = [...new Set([...(held?.columns ?? []), ...columns])]
      const entry = { runId, number: page.number, completed: false, columns: all }
      await books.save(entry)
      passPoint('sink.page-written')
      return entry
    })
    passPoint('sink.page-committed')
  }

  async function complete(missed = 0): Promise<void> {
    checkpoint = await inTransaction(async () => {
      const held = await books.lock()
      if (held?.runId !== runId) throw otherRun(held, runId)
      if (held.completed) return held
      await replacement?.finish()
      if (seen) await deleteUnseen(missed)
      const entry = { ...held, completed: true }
      await books.save(entry)
      return entry
    }, 'long')
  }

  async function deleteUnseen(missed: number): Promise<void> {
    const table = await landing.look()
    const nothing = 'no row is taken for deleted'
    if (table && missed > 0) log('warning', `${nothing}: rows of this run were refused on the way`, { refused: missed })
    else if (table && !(await seen!.isThere())) log('warning', `${nothing}: the keys of this run are not there`)
    else if (table)
      await seen!.deleteOthers(table, mode === 'scd2' ? 'close' : (onDelete as 'soft' | 'hard'), Date.now())
    await seen!.remove()
  }

  checkpoint = await inTransaction(async () => {
    await replacement?.check()
    await landing.look()
    return books.look()
  }, 'long')
  return {
    get checkpoint() {
      return checkpoint && { runId: checkpoint.runId, number: checkpoint.number }
    },
    write,
    complete,
    stop: () => connection.stop(),
  }
}

function overlap({ first, number }: SinkPage, held: Entry): DomainError {
  return new DomainError('CONFLICT', `the destination has pages up to ${held.number} of ${first} to ${number} already`)
}

function otherRun(held: Entry | undefined, runId: string): DomainError {
  const at = held ? `at run ${held.runId}` : 'at no run'
  return new DomainError('CONFLICT', `run ${runId} cannot be completed: the destination is ${at}`)
}
