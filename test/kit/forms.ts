import { type Answer, call, type Problem, type Target } from './api.ts'
import { until } from './processes.ts'

/** One part of a multipart form; `filename` makes it a file. A header of its own instead of the usual one: `head`. */
export interface Part {
  name?: string
  filename?: string
  type?: string
  head?: string
  value: string | Buffer
}

export const BOUNDARY = 'a-boundary-7f3a'

/** The head of a part, with the delimiter before it. */
export function partHead({ name, filename, type, head }: Part): string {
  const names = [name === undefined ? '' : `; name="${name}"`, filename === undefined ? '' : `; filename="${filename}"`]
  const disposition = head ?? `Content-Disposition: form-data${names.join('')}\r\n`
  return `--${BOUNDARY}\r\n${disposition}${type ? `Content-Type: ${type}\r\n` : ''}\r\n`
}

export const FORM_END = `\r\n--${BOUNDARY}--\r\n`

/** A whole multipart form (RFC 7578). */
export function formBody(...parts: Part[]): Buffer {
  const pieces = parts.flatMap((part, n) => [n > 0 ? '\r\n' : '', partHead(part), part.value])
  return Buffer.concat([...pieces, FORM_END].map(piece => Buffer.from(piece)))
}

export const FORM = { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` }

export interface FileAnswer extends Problem {
  request_id: string
  file_id: string
  job_id: string
  filename: string
  size_bytes: number
  records_count: number
  status: string
  format: string
  position: string
}

export interface FileOptions {
  filename?: string
  format?: string
  options?: object | string
  /** With its question mark. */
  query?: string
  headers?: Record<string, string>
}

/** The form that pushes one file. */
export function fileForm(file: string | Buffer, { filename = 'data.csv', format, options }: FileOptions = {}): Buffer {
  const text = typeof options === 'object' ? JSON.stringify(options) : options
  return formBody(
    ...(format === undefined ? [] : [{ name: 'format', value: format }]),
    ...(text === undefined ? [] : [{ name: 'options', value: text }]),
    { name: 'file', filename, type: 'application/octet-stream', value: file },
  )
}

/** Pushes one file and returns the answer, whatever it is. */
export function pushFile(target: Target, file: string | Buffer, how: FileOptions = {}): Promise<Answer<FileAnswer>> {
  const headers = { ...FORM, ...how.headers }
  return call<FileAnswer>(target, `/push/file${how.query ?? ''}`, { body: fileForm(file, how), headers })
}

export interface JobAnswer extends Problem {
  id: string
  status: string
  run_id: string
  progress: number | null
  records_processed: number
  records_rejected: number
  records_total: number | null
  position: string
  started_at: string | null
  ended_at: string | null
  eta: string | null
}

const ENDED = ['completed', 'failed', 'cancelled']

/** Waits until a job has ended, however it did. */
export function jobEnd(target: Target, jobId: string, ms = 60_000): Promise<JobAnswer> {
  return jobUntil(target, jobId, ({ status }) => ENDED.includes(status), ms)
}

/** Waits until a job is as it should be. */
export async function jobUntil(
  target: Target,
  jobId: string,
  is: (job: JobAnswer) => boolean,
  ms = 60_000,
): Promise<JobAnswer> {
  let last: Answer<JobAnswer> | undefined
  const look = async () => {
    last = await call<JobAnswer>(target, `/jobs/${jobId}`)
    return last.status === 200 && is(last.body) && last.body
  }
  return until(`job ${jobId} to be as it should`, look, ms).catch(error => {
    throw new Error(`${error.message}, but it is: ${last?.text}`, { cause: error })
  })
}
