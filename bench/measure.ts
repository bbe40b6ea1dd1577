import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { NODE_ARGS, type Running, run } from '../test/kit/processes.ts'

const CLI = fileURLToPath(new URL('../dist/cli.js', import.meta.url))
const LOOK_AGAIN_MS = 20
const LONGEST_MS = 600_000

/** A process of the service with some of its roles. */
export interface Serving {
  readonly process: Running
  stop(): Promise<void>
}

/** Starts `serve` and does not wait until it is ready: its projector works before that. */
export function serve(env: Record<string, string>): Serving {
  const dir = mkdtempSync(join(tmpdir(), 'sync-bench-'))
  const settings = { HOST: '127.0.0.1', PORT: '0', DATA_DIR: dir, LOG_LEVEL: 'warn', ...env }
  const process_ = run(process.execPath, [...NODE_ARGS, CLI, 'serve'], {
    env: { PATH: process.env.PATH ?? '', ...settings },
  })
  return {
    process: process_,
    async stop() {
      await process_.end()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/**
 * Records a second, from the first time that some are written until all `records` are. `written` says how many are at
 * least; what was there at the first look does not count, so how long a process takes to start does not either.
 */
export async function writtenPerSecond(
  records: number,
  written: () => Promise<number>,
  by: readonly Running[],
): Promise<number> {
  const end = performance.now() + LONGEST_MS
  let first: { at: number; count: number } | undefined
  for (;;) {
    const count = await written()
    const at = performance.now()
    if (first && count >= records) return Math.round((records - first.count) / ((at - first.at) / 1000))
    if (count >= records) throw new Error(`${records} records are too few: all were written before the first look`)
    if (count > 0) first ??= { at, count }
    const ended = by.find(({ child }) => child.exitCode !== null || child.signalCode !== null)
    if (ended) throw new Error(`the process that writes has ended: ${ended.output()}`)
    if (at > end) throw new Error(`${count} of ${records} after ${LONGEST_MS} ms: ${by.map(each => each.output())}`)
    await new Promise(resolve => setTimeout(resolve, LOOK_AGAIN_MS))
  }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  return (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2
}

export function ratio(ours: number, reference: number): number {
  return Math.round((ours / reference) * 100) / 100
}
