import type { RecordPushed, RecordRejected } from '../../src/events/index.ts'
import { elementsOf, membersOf } from '../../src/kernel/members.ts'
import { createCodec, type Decoded } from '../../src/log/codec.ts'
import type { Log } from '../../src/log/log.ts'
import { call, readRecords, type Target } from './api.ts'
import type { Faults } from './audit.ts'
import { readAll } from './events.ts'
import { type FileOptions, type JobAnswer, jobEnd, pushFile } from './forms.ts'
import type { Service } from './service.ts'

/** Every so many rows one has a cell too few. */
const BAD_EVERY = 97
const SHOWN = 20

/** A csv file of rows with ids, and what each becomes; row 1 is the first after the header. */
export interface Imported {
  readonly csv: string
  readonly rows: number
  /** The data of each good row by its number. */
  readonly good: ReadonlyMap<number, string>
  readonly bad: ReadonlySet<number>
}

export function makeImport(rows: number): Imported {
  const good = new Map<number, string>()
  const bad = new Set<number>()
  const lines = ['id,text,n']
  for (let row = 1; row <= rows; row++) {
    if (row % BAD_EVERY === 0) {
      bad.add(row)
      lines.push(`r${row}`)
    } else {
      lines.push(`r${row},the text of row ${row},${row / 4}`)
      good.set(row, `{"id":"r${row}","text":"the text of row ${row}","n":"${row / 4}"}`)
    }
  }
  return { csv: `${lines.join('\n')}\n`, rows, good, bad }
}

/** Begins the import of a file into a data set of its name, and gives back the job. */
export async function beginImport(service: Service, dataset: string, { csv }: Imported): Promise<string> {
  const { status, text, body } = await pushFile(service, csv, { options: { dataset, id_column: 'id' } })
  if (status !== 202) throw new Error(`${status} ${text}`)
  return body.job_id
}

/**
 * Pushes a file at one edge and gives back the data of its records as another one has them, as JSON text, in the order
 * of the file: their ids say which rows they were.
 */
export async function importedRows(from: Target, to: Target, file: Buffer, how: FileOptions): Promise<string[]> {
  const { status, text, body } = await pushFile(from, file, how)
  if (status !== 202) throw new Error(`${status} ${text}`)
  const job = await jobEnd(to, body.job_id)
  if (job.status !== 'completed') throw new Error(JSON.stringify(job))
  const { dataset } = how.options as { dataset: string }
  const page = await call(to, `/datasets/${dataset}/records?limit=1000&min_position=${job.position}`)
  if (page.status !== 200) throw new Error(`${page.status} ${page.text}`)
  return elementsOf(membersOf(page.text).get('items')!).map(item => membersOf(item).get('data')!)
}

/**
 * What is wrong with an import that is complete: in the log each good row is there once, as it is in the file, each bad
 * one is refused once, and nothing else; the read model has each good row in its first version; the job has counted all.
 */
export async function auditImport(
  service: Service,
  log: Log,
  job: JobAnswer,
  dataset: string,
  file: Imported,
): Promise<Faults> {
  const faults: Faults = []
  const add = (fault: string) => void (faults.length < SHOWN && faults.push(fault))
  const once = (what: string, seen: ReadonlyMap<number, number>, wanted: Iterable<number>) => {
    for (const row of wanted) if (seen.get(row) !== 1) add(`${what} of row ${row} is there ${seen.get(row) ?? 0} times`)
  }

  const pushed = new Map<number, number>()
  await eachOf(log, 'sync.records', ({ data }) => {
    const { job_id, line, data: text, id } = data as RecordPushed
    if (job_id !== job.id) return
    pushed.set(line, (pushed.get(line) ?? 0) + 1)
    if (file.good.get(line) !== text || id !== `r${line}`) add(`row ${line} became ${id}: ${text}`)
  })
  once('the record', pushed, file.good.keys())
  const refused = new Map<number, number>()
  await eachOf(log, 'sync.rejected', ({ data }) => {
    const { job_id, line, code } = data as RecordRejected
    if (job_id !== job.id) return
    refused.set(line, (refused.get(line) ?? 0) + 1)
    if (code !== 'RAGGED_ROW' || !file.bad.has(line)) add(`row ${line} was refused: ${code}`)
  })
  once('the refusal', refused, file.bad)

  const { rows, bad } = file
  if (job.status !== 'completed' || job.records_processed !== rows || job.records_rejected !== bad.size)
    add(`of ${rows} rows, ${bad.size} bad, the job says: ${JSON.stringify(job)}`)
  const records = await readRecords(service, dataset, job.position)
  if (records.length !== file.good.size) add(`${records.length} records are in the read model`)
  for (const { id, version } of records) if (version !== 1) add(`${id} has version ${version}`)
  const path = `/rejected?job_id=${job.id}&limit=1000&min_position=${job.position}`
  const { status, body } = await call<{ items: object[] }>(service, path)
  if (status !== 200) return [...faults, `${path}: ${status} ${JSON.stringify(body)}`]
  const { items } = body
  if (items.length !== Math.min(1000, bad.size)) add(`${items.length} refused rows are in the read model`)
  return faults
}

async function eachOf(log: Log, topic: string, take: (event: Decoded) => void): Promise<void> {
  const codec = createCodec(log)
  for (const stream of log.streams(topic)) {
    const events = await readAll(log, stream)
    await codec.prepare(events)
    for (const { value } of events) take(codec.decode(value))
  }
}
