import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openLog } from '../src/adapters.ts'
import { readConfig } from '../src/config.ts'
import { encodePosition, mergePositions } from '../src/kernel/position.ts'
import { run } from '../test/kit/processes.ts'
import { removeData, startService, untilProjected } from '../test/kit/service.ts'
import type { Bench } from './bench.ts'
import { fillRecords } from './fill.ts'
import { freshKafkaParts, kafkaEnv } from './parts.ts'

/** The position of the last record in the log. */
async function endOf(env: Record<string, string>): Promise<string> {
  const log = await openLog(readConfig({ DATA_DIR: tmpdir(), ...env }))
  const ends = await log.ends('sync.records')
  const places = log.streams('sync.records').map(stream => log.place(stream, ends.get(stream.name)!))
  await log.stop()
  return encodePosition(places.reduce(mergePositions))
}

export const replay: Bench = {
  name: 'replay',
  about:
    'pushed records over HTTP as NDJSON, read by curl, from the embedded log or --log kafka; and the memory it takes',
  async run(options) {
    const records = Number(options.records ?? 1_000_000)
    const parts = options.log === 'kafka' ? await freshKafkaParts() : undefined
    const dataDir = mkdtempSync(join(tmpdir(), 'sync-bench-'))
    const env: Record<string, string> = parts ? kafkaEnv(parts) : {}
    await fillRecords({ ...env, DATA_DIR: dataDir }, records)
    const end = await endOf({ ...env, DATA_DIR: dataDir })
    const service = await startService(env, { dataDir })
    try {
      await untilProjected(service, end)
      const [before, cpu, started] = [service.peakMb(), service.cpuSeconds(), performance.now()]
      const headers = `-H 'Authorization: Bearer ${service.token}' -H 'Accept: application/x-ndjson'`
      const reader = run('sh', ['-c', `curl -sN ${headers} '${service.url}/events?topic=sync.records' | wc -lc`])
      await new Promise(resolve => reader.child.on('close', resolve))
      const seconds = (performance.now() - started) / 1000
      const [lines, bytes] = reader.output().trim().split(/\s+/).map(Number) as [number, number]
      if (lines !== records) throw new Error(`${lines} lines of ${records}: ${service.process.output()}`)
      return {
        events_per_s: Math.round(records / seconds),
        mb_per_s: Math.round(bytes / seconds / 2 ** 20),
        cpu_us_per_event: Math.round(((service.cpuSeconds() - cpu) / records) * 1e8) / 100,
        peak_mb: Math.round(service.peakMb()),
        peak_mb_before: Math.round(before),
      }
    } finally {
      await service.stop('SIGKILL')
      removeData(service)
      await parts?.stop()
    }
  },
}
