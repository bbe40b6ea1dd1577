import { type PulledPage, type PulledRow, SourceBusy } from '../catalog/connectors/connector.ts'
import { compileTransformations } from '../catalog/transformations/index.ts'
import { scrubber, secretsAt } from '../intake/hidden.ts'
import { DomainError } from '../kernel/errors.ts'
import type { CheckedJob } from './job-settings.ts'
import type { Services } from './services.ts'

/** Rows of the first page that are shown. */
const ROWS = 100
const BYTES = 1_048_576

/**
 * The first page that a job would bring, as JSON text: each row before and after its transformations. `after` is null for
 * a row that is left out, and `error` says why one would be refused. Nothing is kept.
 */
export async function preview(
  { guard, config, formatLimits, rowLimits }: Services,
  { connector, config: given, revealed, secretPaths }: CheckedJob,
  gone: AbortSignal,
): Promise<string> {
  const signal = AbortSignal.any([gone, AbortSignal.timeout(config.answerMs)])
  const transform = compileTransformations(revealed.transformations, 'transformations', rowLimits)()
  const pages = connector.pull(given, undefined, {
    ...{ signal, guard, formatLimits, pageRows: ROWS, pageBytes: BYTES, answerMs: config.answerMs },
    answerBytes: Math.min(config.answerBytes, config.bodyBytes),
    openFile: noFiles,
    removeFile: noFiles,
    log: () => undefined,
  })
  const page = await firstOf(pages, signal, scrubber(secretsAt(revealed, secretPaths)))
  const rows = [...(page?.rows ?? [])].slice(0, ROWS)
  return `{"records":[${rows.map(row => shown(row, transform)).join(',')}],"total":${page?.total ?? null}}`
}

async function firstOf(
  pages: AsyncIterable<PulledPage>,
  signal: AbortSignal,
  scrub: (text: string) => string,
): Promise<PulledPage | undefined> {
  try {
    for await (const page of pages) if (page.rows.length > 0) return page
    return undefined
  } catch (error) {
    if (error instanceof DomainError)
      throw new DomainError(error.code, scrub(error.message), { details: error.details })
    if (error instanceof SourceBusy) throw new DomainError('UNAVAILABLE', scrub(error.message), { retryAfter: 5 })
    if (signal.aborted) throw new DomainError('UNAVAILABLE', 'the source has not answered in time', { retryAfter: 5 })
    throw error
  }
}

function shown(row: PulledRow, transform: ReturnType<ReturnType<typeof compileTransformations>>): string {
  if ('refused' in row) {
    const { original, code, field, message } = row.refused
    const before = JSON.stringify(Buffer.from(original).toString())
    return `{"before":${before},"after":null,"error":${JSON.stringify({ stage: 'parse', code, field, message })}}`
  }
  const made = transform(row.data)
  if ('json' in made) return `{"before":${row.data},"after":${made.json}}`
  if ('dropped' in made) return `{"before":${row.data},"after":null}`
  const { code, field, message } = made.refused
  return `{"before":${row.data},"after":null,"error":${JSON.stringify({ stage: 'transform', code, field, message })}}`
}

function noFiles(): Promise<never> {
  throw new DomainError('VALIDATION_ERROR', 'an uploaded file has no preview')
}
