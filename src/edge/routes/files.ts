import { z } from 'zod'
import type { FileConfig } from '../../catalog/connectors/file.ts'
import { checkOptions, type Format, shown } from '../../catalog/formats/format.ts'
import { formatOf, formats, recognise } from '../../catalog/formats/index.ts'
import { countInThread } from '../../catalog/formats/thread.ts'
import { DomainError, invalid } from '../../kernel/errors.ts'
import { encodePosition } from '../../kernel/position.ts'
import { pointerTo } from '../../kernel/record-id.ts'
import { newId } from '../../log/new-id.ts'
import { check, requireType } from '../body.ts'
import { fingerprintOf } from '../idempotency/fingerprint.ts'
import { once } from '../idempotency/once.ts'
import { fileOf, findJob, reachJob } from '../jobs.ts'
import { named } from '../names.ts'
import { reachMinPosition } from '../reach.ts'
import type { Reply, Request, Route } from '../router.ts'
import { receiveUpload, type Upload } from '../upload.ts'

/** Columns that an error names. */
const SHOWN_COLUMNS = 20

/** Options that are about the push; the rest are the format's own. */
const pushOptions = z.object({
  dataset: z.string().optional(),
  source: z.string().optional(),
  id_column: z.string().min(1).max(500).optional(),
  validate: z.boolean().default(true),
  transform: z.boolean().default(true),
  upsert: z.boolean().default(true),
})

interface Asked {
  readonly format: Format
  readonly options: Record<string, unknown>
  readonly push: z.infer<typeof pushOptions>
}

function readOptions({ fields, filename, head }: Upload): Asked {
  let given: unknown = {}
  try {
    if (fields.options) given = JSON.parse(fields.options)
  } catch (error) {
    throw invalid('options', `is not JSON: ${(error as Error).message.slice(0, 200)}`)
  }
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw invalid('options', 'expected a JSON object')
  const push = check({ options: given }, z.object({ options: pushOptions })).options
  const own = Object.keys(pushOptions.shape)
  const rest = Object.fromEntries(Object.entries(given).filter(([name]) => !own.includes(name)))
  const format = fields.format ? formatOf(fields.format) : recognise(filename, head)
  const names = formats.map(({ name }) => name).join(', ')
  if (!format) {
    const message = fields.format
      ? `expected ${names}, got "${fields.format.slice(0, 40)}"`
      : `the file is none of ${names} by its content and its name; say which`
    throw invalid('format', message)
  }
  return { format, options: checkOptions(format, rest), push }
}

/** Without it every row would be refused, one by one. */
function checkIdColumn(name: string | undefined, columns: readonly string[] | undefined): void {
  if (name === undefined || columns === undefined || columns.includes(name)) return
  const few = columns.slice(0, SHOWN_COLUMNS).map(shown)
  const more = columns.length > few.length ? `, and ${columns.length - few.length} more` : ''
  throw invalid('options.id_column', `the file has no column ${shown(name)}: it has ${few.join(', ')}${more}`)
}

/** Makes the job that imports a file which is kept already. */
async function importFile(request: Request, fileId: string, upload: Upload): Promise<Reply> {
  const { services, principal, exchange } = request
  const { format, options, push } = readOptions(upload)
  const source = named('options.source', push.source, principal.name)
  const dataset = named('options.dataset', push.dataset ?? exchange.query.get('dataset') ?? undefined, source)
  const limits = services.formatLimits
  const opened = await services.files.open(fileId)
  const count = () => countInThread({ path: opened.path, format: format.name, options, limits })
  const { rows, damage, columns } = await services.readers.take(exchange.gone, count).finally(() => opened.close())
  // With rows before the damage the import says where it stopped, and they are in.
  const { filename, bytes, fields } = upload
  const hint = fields.format ? '' : `; it was taken for ${format.name}: if it is something else, say so in format`
  if (damage && rows === 0) throw damage.details.length > 0 ? damage : invalid('file', damage.message + hint)
  checkIdColumn(push.id_column, columns)
  const config: FileConfig = {
    ...{ file_id: fileId, filename, size_bytes: bytes, format: format.name, options, records_count: rows },
    id_column: push.id_column ?? null,
  }
  const { validate, transform, upsert } = push
  const id_at = push.id_column === undefined ? null : pointerTo(push.id_column)
  const target = { dataset, source, upsert, validate, transform, text_only: format.name === 'csv', id_at }
  const job_id = fileId.replace(/^file_/, 'job_')
  const settings = { connector: { type: 'file', config }, schedule: { type: 'manual' }, target }
  const queue = { run_id: newId('run'), trigger: 'upload' }
  const data = { job_id, name: filename, connector_type: 'file', config: JSON.stringify(settings), queue }
  const by = { actor: principal.id, requestId: exchange.requestId }
  const position = await services.commands.send(`job/${job_id}`, { type: 'CreateJob', data }, by)
  await reachJob(services, position)
  const file = { file_id: fileId, job_id, filename, size_bytes: bytes, records_count: rows, status: 'processing' }
  return {
    status: 202,
    body: { request_id: exchange.requestId, ...file, format: format.name, position: encodePosition(position) },
  }
}

const pushFile: Route = {
  method: 'POST',
  path: '/push/file',
  auth: 'sync:write',
  limit: 'push',
  async handle(request) {
    const { exchange, services } = request
    requireType(exchange, 'multipart/form-data')
    const { fileBytes: maxBytes, streamIdleSeconds: idleSeconds } = services.config
    const fileId = newId('file')
    const receive = (keep: (pieces: AsyncIterable<Uint8Array>) => Promise<void>) =>
      receiveUpload({ exchange, maxBytes, idleSeconds, fields: ['format', 'options'], keep })
    let taken: string | undefined
    const whole = (form: string) => fingerprintOf(exchange, ['dataset'], Buffer.from(form)).skipped()
    const fingerprint = {
      taken: () => taken,
      skipped: async () => whole((await receive(discard)).fingerprint),
    }
    const take = async () => {
      const upload = await receive(pieces => services.files.write(fileId, pieces))
      taken = await whole(upload.fingerprint)
      try {
        return await importFile(request, fileId, upload)
      } catch (error) {
        // A command whose outcome is not known may have made the job, which needs the file.
        if (error instanceof DomainError && error.code !== 'UNAVAILABLE') await services.files.remove(fileId)
        throw error
      }
    }
    return once(request, fingerprint, take)
  },
}

async function discard(pieces: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _piece of pieces);
}

const oneFile: Route = {
  method: 'GET',
  path: '/files/:id',
  auth: 'sync:read',
  limit: 'api',
  async handle(request) {
    const { services, params } = request
    const id = params.id!
    await reachMinPosition(request, ['sync.jobs'])
    const row = id.startsWith('file_')
      ? await findJob(services, id.replace(/^file_/, 'job_')).catch(notThis(id))
      : undefined
    if (!row) throw new DomainError('NOT_FOUND', `there is no file ${id.slice(0, 100)}`)
    return { status: 200, body: await fileOf(services, row) }
  },
}

function notThis(id: string): (error: unknown) => never {
  return error => {
    if (!(error instanceof DomainError) || error.code !== 'NOT_FOUND') throw error
    throw new DomainError('NOT_FOUND', `there is no file ${id.slice(0, 100)}`)
  }
}

export const files: readonly Route[] = [pushFile, oneFile]
