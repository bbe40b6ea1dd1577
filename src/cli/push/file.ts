import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { basename } from 'node:path'
import { DomainError } from '../../kernel/errors.ts'
import { pause } from '../../kernel/pause.ts'
import type { Api } from '../client.ts'
import type { Patience } from '../patience.ts'
import { refusalText } from './tally.ts'

const LOOK_AGAIN_MS = 300
const SHOWN = 10

export interface FileOptions {
  readonly api: Api
  readonly file: string
  readonly size: number
  readonly format: string | undefined
  /** As POST /push/file has them. */
  readonly options: object
  readonly patience: Patience
  readonly signal: AbortSignal
  readonly print: (line: string) => void
  readonly onProgress: (text: string, part: number | undefined) => void
}

interface Job {
  readonly status: string
  readonly records_processed: number
  readonly records_rejected: number
  readonly records_total: number | null
  readonly position: string
  readonly error: { code: string; message: string } | null
}

export interface Imported {
  readonly file_id: string
  readonly job_id: string
  readonly status: string
  readonly accepted: number
  readonly rejected: number
  readonly position: string
}

/**
 * Uploads a file and waits until its import has ended, or `signal` aborts: undefined when the service has not said by then
 * that the file is there. Throws what the service refuses.
 */
export async function pushFile(options: FileOptions): Promise<Imported | undefined> {
  const uploaded = await upload(options)
  if (!uploaded) return undefined
  const { file_id, job_id } = uploaded
  const job = await untilEnded(options, job_id)
  if (job.error)
    throw new DomainError('UNPROCESSABLE', `the import ${job.status}, see job ${job_id}: ${job.error.message}`)
  if (job.records_rejected > 0) await tellRefused(options, job_id)
  const { status, records_processed, records_rejected: rejected, position } = job
  return { file_id, job_id, status, accepted: records_processed - rejected, rejected, position }
}

async function upload(options: FileOptions): Promise<{ file_id: string; job_id: string } | undefined> {
  const { api, patience, onProgress, size, signal } = options
  const key = `push-${randomUUID()}`
  const boundary = `form-${randomUUID()}`
  const headers = { 'content-type': `multipart/form-data; boundary=${boundary}`, 'idempotency-key': key }
  for (;;) {
    let sent = 0
    const onSent = (bytes: number) => {
      sent += bytes
      onProgress('uploaded', size === 0 ? undefined : sent / size)
    }
    try {
      const body = () => form(options, boundary, onSent)
      return (await (await api('/push/file', { method: 'POST', headers, body, signal })).json()) as Imported
    } catch (error) {
      if (signal.aborted) return undefined
      await patience.wait(error)
    }
  }
}

/** A multipart form with the file in it, piece by piece. */
async function* form({ file, format, options }: FileOptions, boundary: string, onSent: (bytes: number) => void) {
  const name = basename(file).replace(/["\r\n]/g, '_')
  const field = (name: string, value: string) =>
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`
  const head = `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="${name}"\r\n\r\n`
  yield Buffer.from(
    `${format === undefined ? '' : field('format', format)}${field('options', JSON.stringify(options))}${head}`,
  )
  for await (const piece of createReadStream(file, { highWaterMark: 262_144 })) {
    onSent((piece as Buffer).length)
    yield piece as Buffer
  }
  yield Buffer.from(`\r\n--${boundary}--\r\n`)
}

async function untilEnded({ api, patience, onProgress, signal }: FileOptions, jobId: string): Promise<Job> {
  for (;;) {
    try {
      const job = (await (await api(`/jobs/${jobId}`)).json()) as Job
      patience.moved()
      const { records_processed: done, records_total: all } = job
      onProgress(`${done} rows imported`, all ? done / all : undefined)
      if (['completed', 'failed', 'cancelled'].includes(job.status) || signal.aborted) return job
      await pause(LOOK_AGAIN_MS, signal)
    } catch (error) {
      await patience.wait(error)
      if (signal.aborted) throw error
    }
  }
}

async function tellRefused({ api, print }: FileOptions, jobId: string): Promise<void> {
  const answer = await api(`/rejected?job_id=${jobId}&limit=${SHOWN}`)
  const { items } = (await answer.json()) as { items: { field: string | null; code: string; message: string }[] }
  for (const item of items) print(refusalText(item))
  print(`all refused rows: GET /rejected?job_id=${jobId}`)
}
