import { statSync } from 'node:fs'
import { invalid } from '../../kernel/errors.ts'
import type { Api } from '../client.ts'
import { createPatience } from '../patience.ts'
import { showProgress, type Told } from '../progress.ts'
import { pushFile } from './file.ts'
import { type Options, requireFile } from './options.ts'
import { STOPPED } from './stop.ts'

/** Uploads a file, waits for its import, and prints what has come of it. Resolves with the exit code. */
export async function upload(api: Api, file: string, options: Options, signal: AbortSignal): Promise<number> {
  const { dataset, source, upsert, validate, transform, format } = options
  const flags = Object.entries({ upsert, validate, transform }).filter(([, value]) => value !== undefined)
  const given = {
    ...parsed(options.options),
    ...Object.fromEntries(flags.map(([name, value]) => [name, flagOf(name, value!)])),
    ...(dataset === undefined ? {} : { dataset }),
    ...(source === undefined ? {} : { source }),
    ...(options['id-column'] === undefined ? {} : { id_column: options['id-column'] }),
  }
  requireFile(file)
  let told: Told = { text: 'uploading' }
  const progress = showProgress(() => told)
  const print = (line: string) => progress.note(line)
  const patience = createPatience(error => print(`${error.message}; trying again`), { more: ['CONFLICT'], signal })
  const onProgress = (text: string, part: number | undefined) => {
    told = { text, part }
  }
  const { size } = statSync(file)
  const sent = { api, file, size, format, options: given, patience, signal, print, onProgress }
  const imported = await pushFile(sent).finally(() => progress.stop())
  if (!imported) {
    console.error('superinsight-sync: stopped before the service had said that the file is there; push it again')
    return STOPPED
  }
  console.log(JSON.stringify(imported))
  if (imported.rejected > 0) console.error(`superinsight-sync: ${imported.rejected} rows were refused`)
  if (imported.status === 'completed') return imported.rejected > 0 ? 1 : 0
  console.error(`superinsight-sync: stopped waiting; the import goes on as job ${imported.job_id}`)
  return signal.aborted ? STOPPED : 1
}

function flagOf(name: string, text: string): boolean {
  if (text === 'true' || text === 'false') return text === 'true'
  throw invalid(`--${name}`, `expected true or false, got ${text}`)
}

function parsed(text: string | undefined): object {
  try {
    const value = JSON.parse(text ?? '{}')
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  } catch {
    // Told below, as everything that is no JSON object.
  }
  throw invalid('--options', `expected a JSON object, got ${text!.slice(0, 60)}`)
}
