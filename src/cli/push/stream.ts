import { randomUUID } from 'node:crypto'
import { createReadStream, statSync } from 'node:fs'
import { DomainError, invalid } from '../../kernel/errors.ts'
import type { Api } from '../client.ts'
import { createPatience } from '../patience.ts'
import { count, megabytes, type Progress, showProgress, type Told } from '../progress.ts'
import { cut } from './chunks.ts'
import { pushChunk } from './lines.ts'
import { CHUNK_BYTES, type Options, requireFile } from './options.ts'
import { STOPPED } from './stop.ts'
import { createTally, type Reached } from './tally.ts'

/** How long lines of a slow input wait for more. */
const WAIT_MS = 1000

/** Pushes a file of lines, or stdin, and prints what has come of it. Resolves with the exit code. */
export async function pushLines(api: Api, file: string, options: Options, signal: AbortSignal): Promise<number> {
  const [skip, bytes] = [wholeOf(options, 'skip', 0, 0), wholeOf(options, 'request-bytes', 1024, CHUNK_BYTES)]
  const query = new URLSearchParams()
  for (const name of ['dataset', 'source', 'upsert', 'validate', 'transform', 'ack'] as const)
    if (options[name] !== undefined) query.set(name, options[name])
  if (file !== '-') requireFile(file)
  const size = file === '-' ? undefined : statSync(file).size
  const input = file === '-' ? process.stdin : createReadStream(file, { highWaterMark: 1_048_576 })
  // Whoever waits for more to come waits no longer.
  signal.addEventListener('abort', () => void input.destroy())
  const print = (line: string) => progress.note(line)
  const tally = createTally(skip, print)
  const progress: Progress = showProgress(() => toldOf(tally.reached, size, began))
  const began = performance.now()
  const patience = createPatience(error => print(`${error.message}; trying again`), { more: ['CONFLICT'], signal })
  const stopping = () => signal.aborted
  const sending = { api, path: `/push/stream?${query}`, key: `push-${randomUUID()}`, patience, tally, stopping }
  try {
    for await (const chunk of cut(input, { bytes, skip, waitMs: WAIT_MS })) {
      await pushChunk(sending, chunk)
      if (signal.aborted) break
    }
  } catch (error) {
    if (signal.aborted) return stopped(tally.reached)
    if (!(error instanceof DomainError) || tally.reached.lines === skip) throw error
    const far = `${tally.reached.lines} lines are in; go on with --skip ${tally.reached.lines}`
    throw new DomainError('UNAVAILABLE', `${error.message}; ${far}`)
  } finally {
    progress.stop()
    input.destroy()
  }
  if (signal.aborted) return stopped(tally.reached)
  return printed(tally.reached)
}

function printed({ accepted, rejected, lines, position }: Reached): number {
  console.log(JSON.stringify({ accepted, rejected, lines, position }))
  if (rejected > 0) console.error(`superinsight-sync: ${rejected} rows were refused`)
  return rejected > 0 ? 1 : 0
}

function stopped(reached: Reached): number {
  printed(reached)
  console.error(`superinsight-sync: stopped after line ${reached.lines}; go on with --skip ${reached.lines}`)
  return STOPPED
}

function toldOf({ accepted, rejected, bytes }: Reached, size: number | undefined, began: number): Told {
  const seconds = (performance.now() - began) / 1000
  const rows = accepted + rejected
  const refused = rejected > 0 ? `, ${count(rejected)} refused` : ''
  const text = `${count(rows)} records${refused}, ${megabytes(bytes)}, ${count(rows / seconds)} a second`
  return size ? { text, part: Math.min(1, bytes / size) } : { text }
}

function wholeOf(options: Options, name: 'skip' | 'request-bytes', least: number, fallback: number): number {
  const text = options[name]
  const value = text === undefined ? fallback : Number(text)
  if (Number.isSafeInteger(value) && value >= least) return value
  throw invalid(`--${name}`, `expected a whole number from ${least}, got ${text}`)
}
