import { type Column, type Connection, RowFault, ShapeFault } from './connection.ts'
import { OWN_PREFIX, quotedTable, type TableName } from './names.ts'

/** How far a job is in a database. */
export interface Entry {
  readonly runId: string
  /** The last page that is in. */
  readonly number: number
  /** Whether that run's end has been dealt with. */
  readonly completed: boolean
  /** The columns that the job has ever brought, in order. */
  readonly columns: readonly string[]
}

export const BOOKS = `${OWN_PREFIX}sinks`

/**
 * The checkpoints of all jobs that write to a database, in a table of that database. `target` is what the job writes to: an
 * entry for something else counts for nothing.
 */
export function createBooks(connection: Connection, schema: string | null, job: { id: string; target: string }) {
  const name: TableName = { schema, name: BOOKS }
  const table = quotedTable(name)
  let isThere = false

  async function find(lock: string): Promise<Entry | 'none' | undefined> {
    const sql = `select target, run_id, number, completed, columns from ${table} where job_id = $1${lock}`
    const [row] = await connection.rows(sql, [job.id])
    if (!row) return undefined
    if (row.target !== job.target) return 'none'
    return {
      runId: String(row.run_id),
      number: Number(row.number),
      completed: Boolean(row.completed),
      columns: JSON.parse(String(row.columns)),
    }
  }

  const flag = (value: boolean) => connection.dialect.bind(FLAG, String(value))!

  async function make(): Promise<void> {
    const { bigint, boolean, text } = connection.dialect.types
    const columns = `job_id ${text} primary key, target ${text} not null, run_id ${text} not null, number ${bigint} not null,
      completed ${boolean} not null, columns ${text} not null`
    try {
      await connection.attempt(() => connection.run(`create table if not exists ${table}(${columns})`))
    } catch (error) {
      // Another job makes it at this moment: `if not exists` does not see that.
      if (!(error instanceof RowFault || error instanceof ShapeFault)) throw error
    }
  }

  return {
    /** How far the job is, without keeping anybody from changing it. */
    async look(): Promise<Entry | undefined> {
      if (!(await connection.exists(name))) return undefined
      const found = await find('')
      return found === 'none' ? undefined : found
    },
    /** How far the job is; nobody else gets on with it until the transaction ends. */
    async lock(): Promise<Entry | undefined> {
      if (!isThere) await make()
      let found = await find(connection.dialect.forUpdate)
      if (found === undefined) {
        const nothing = `insert into ${table} values ($1, '', '', 0, $2, '[]') on conflict do nothing`
        await connection.run(nothing, [job.id, flag(false)])
        found = await find(connection.dialect.forUpdate)
      }
      return found === 'none' ? undefined : found
    },
    /** Only after `lock`, in its transaction. */
    async save(entry: Entry): Promise<void> {
      const { runId, number, columns, completed } = entry
      const set = 'target = $1, run_id = $2, number = $3, completed = $4, columns = $5'
      const values = [job.target, runId, number, flag(completed), JSON.stringify(columns), job.id]
      await connection.run(`update ${table} set ${set} where job_id = $6`, values)
    },
    /** Told after a transaction whether it has committed: then the table is there. */
    ended(committed: boolean): void {
      isThere = committed
    },
  }
}

const FLAG: Column = { name: 'completed', type: 'boolean', sqlType: 'boolean', fixed: false, settable: 'always' }
