import { fileURLToPath } from 'node:url'
import { run } from '../test/kit/processes.ts'
import type { PushJob } from './records.ts'
import type { Bench, Figures } from './run.ts'
import { removeData, type Service, startService, untilProjected } from '../test/kit/service.ts'

const CLIENT = fileURLToPath(new URL('./push-client.ts', import.meta.url))

interface Pushed {
  accepted: number
  seconds: number
  startedAt: number
  positions: string[]
}

/** Runs the load client and gives back what it printed. */
export async function pushFrom(job: PushJob): Promise<Pushed> {
  const client = run(process.execPath, [CLIENT, JSON.stringify(job)])
  await new Promise(resolve => client.child.on('close', resolve))
  const line = client
    .output()
    .split('\n')
    .find(each => each.startsWith('{"accepted"'))
  if (!line) throw new Error(`the load client failed: ${client.output()}`)
  return JSON.parse(line)
}

export async function measureIngest(service: Service, records: number, connections: number): Promise<Figures> {
  const push = (count: number, dataset: string) =>
    pushFrom({ url: service.url, token: service.token, dataset, records: count, connections, keys: 0 })
  const warm = await push(Math.min(200_000, records / 4), 'warm')
  for (const position of warm.positions) await untilProjected(service, position)
  const cpuBefore = service.cpuSeconds()
  const pushed = await push(records, 'bench')
  const cpuAccepted = service.cpuSeconds()
  for (const position of pushed.positions) await untilProjected(service, position)
  const projectedSeconds = (Date.now() - pushed.startedAt) / 1000
  return {
    accepted_per_s: Math.round(pushed.accepted / pushed.seconds),
    projected_per_s: Math.round(pushed.accepted / projectedSeconds),
    cpu_us_per_record: round(((cpuAccepted - cpuBefore) / pushed.accepted) * 1e6),
    cpu_us_per_record_projected: round(((service.cpuSeconds() - cpuBefore) / pushed.accepted) * 1e6),
    peak_mb: Math.round(service.peakMb()),
  }
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}

export const ingest: Bench = {
  name: 'ingest',
  about: 'NDJSON records of 92 bytes over HTTP, durable before the answer, and until they are in the read model',
  async run(options) {
    const records = Number(options.records ?? 2_000_000)
    const connections = Number(options.connections ?? 4)
    const service = await startService(
      {},
      { nodeArgs: options.profile ? ['--cpu-prof', `--cpu-prof-dir=${options.profile}`] : [] },
    )
    try {
      return await measureIngest(service, records, connections)
    } finally {
      await service.stop()
      removeData(service)
    }
  },
}
