import { fileURLToPath } from 'node:url'
import { run } from '../test/kit/processes.ts'
import { removeData, type Service, startService, untilProjected } from '../test/kit/service.ts'
import type { Bench, Figures } from './bench.ts'
import { kafkaEnv, kafkaParts, producerPerformance } from './parts.ts'
import type { PushJob } from './records.ts'

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

/** Pushes through a service on Kafka, then lets Kafka's own producer do the same: the ratio is within one run. */
async function ingestToKafka(records: number, connections: number, nodeArgs: string[]): Promise<Figures> {
  const parts = await kafkaParts()
  try {
    const service = await startService(kafkaEnv(parts), { nodeArgs })
    try {
      const figures = await measureIngest(service, records, connections)
      const reference_per_s = await producerPerformance(parts.brokers, records)
      return { ...figures, reference_per_s, ratio: round(figures.accepted_per_s! / reference_per_s) }
    } finally {
      await service.stop()
      removeData(service)
    }
  } finally {
    await parts.stop()
  }
}

async function ingestEmbedded(records: number, connections: number, nodeArgs: string[]): Promise<Figures> {
  const service = await startService({}, { nodeArgs })
  try {
    return await measureIngest(service, records, connections)
  } finally {
    await service.stop()
    removeData(service)
  }
}

export const ingest: Bench = {
  name: 'ingest',
  about: 'NDJSON records of 92 bytes over HTTP, durable before the answer, and until they are in the read model',
  run(options) {
    const records = Number(options.records ?? 2_000_000)
    const connections = Number(options.connections ?? 4)
    const nodeArgs = options.profile ? ['--cpu-prof', `--cpu-prof-dir=${options.profile}`] : []
    const measure = options.log === 'kafka' ? ingestToKafka : ingestEmbedded
    return measure(records, connections, nodeArgs)
  },
}
