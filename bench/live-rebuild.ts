import { fileURLToPath } from 'node:url'
import { run } from '../test/kit/processes.ts'
import { askForRebuild, untilRebuilt } from '../test/kit/rebuilds.ts'
import { type Service, startService } from '../test/kit/service.ts'
import type { Figures } from './bench.ts'
import { DATASET } from './fill.ts'
import { ratio } from './measure.ts'
import type { ReadJob } from './read-client.ts'
import { idOf, recordParts } from './records.ts'

const CLIENT = fileURLToPath(new URL('./read-client.ts', import.meta.url))
/** What a service that was just started compiles for its first reads is not what it is like when idle. */
const WARM_UP_MS = 3000
const IDLE_MS = 6000
const SAMPLED = 1000

/** Reads until it is told to stop; resolves then with how fast they were answered. */
function startReads(service: Service, records: number): () => Promise<{ reads: number; p99_ms: number }> {
  const ids = Array.from({ length: SAMPLED }, (_, n) => {
    const at = Math.floor((n * records) / SAMPLED)
    return recordParts(idOf(at, 0), at).id
  })
  const job: ReadJob = { url: service.url, token: service.token, dataset: DATASET, ids, connections: 4, perSecond: 200 }
  const client = run(process.execPath, [CLIENT, JSON.stringify(job)], { stdio: ['pipe', 'pipe', 'pipe'] })
  const ended = new Promise<void>(resolve => client.child.on('close', () => resolve()))
  return async () => {
    client.child.stdin!.end()
    await ended
    const line = client.output().trim().split('\n').at(-1)!
    if (!line.startsWith('{')) throw new Error(`the reads failed: ${client.output()}`)
    return JSON.parse(line)
  }
}

/**
 * Asks a service with `records` rows for a rebuild, and reads all the time: the whole of it from the request to its end,
 * and how fast reads are answered before it and during it.
 */
export async function rebuildLive(env: Record<string, string>, records: number, profile?: string): Promise<Figures> {
  const nodeArgs = profile ? ['--cpu-prof', `--cpu-prof-dir=${profile}`] : []
  const service = await startService(env, { dataDir: env.DATA_DIR!, nodeArgs })
  try {
    const stopWarmUp = startReads(service, records)
    await new Promise(resolve => setTimeout(resolve, WARM_UP_MS))
    await stopWarmUp()
    const stopIdle = startReads(service, records)
    await new Promise(resolve => setTimeout(resolve, IDLE_MS))
    const idle = await stopIdle()
    const stop = startReads(service, records)
    await new Promise(resolve => setTimeout(resolve, 500))
    const began = performance.now()
    await askForRebuild(service, 'records')
    const { compared } = await untilRebuilt(service, 'records')
    const seconds = (performance.now() - began) / 1000
    const during = await stop()
    if (compared.differing > 0) throw new Error(`${compared.differing} rows differ`)
    return {
      live_events_per_s: Math.round(records / seconds),
      idle_p99_ms: idle.p99_ms,
      live_p99_ms: during.p99_ms,
      p99_ratio: ratio(during.p99_ms, idle.p99_ms),
    }
  } finally {
    await service.stop()
  }
}
