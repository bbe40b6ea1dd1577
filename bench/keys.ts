import { fileURLToPath } from 'node:url'
import { run } from '../test/kit/processes.ts'
import { removeData, type Service, startService } from '../test/kit/service.ts'
import type { Bench, Figures } from './bench.ts'
import type { KeyJob } from './key-client.ts'

const CLIENT = fileURLToPath(new URL('./key-client.ts', import.meta.url))

interface Told {
  pushes_per_s: number
  p50_ms: number
  p99_ms: number
}

async function push(job: KeyJob): Promise<Told> {
  const client = run(process.execPath, [CLIENT, JSON.stringify(job)])
  await new Promise(resolve => client.child.on('close', resolve))
  const line = client
    .output()
    .split('\n')
    .find(each => each.startsWith('{"pushes_per_s"'))
  if (!line) throw new Error(`the load client failed: ${client.output()}`)
  return JSON.parse(line)
}

async function measure(service: Service, name: string, job: Omit<KeyJob, 'url' | 'token'>): Promise<Figures> {
  const before = service.cpuSeconds()
  const told = await push({ ...job, url: service.url, token: service.token })
  const cpu_us_per_push = Math.round(((service.cpuSeconds() - before) / job.pushes) * 1e6)
  return Object.fromEntries(
    Object.entries({ ...told, cpu_us_per_push }).map(([key, value]) => [`${name}_${key}`, value]),
  )
}

export const keys: Bench = {
  name: 'keys',
  about: 'batches of one record: without Idempotency-Key, each with a new one, each with one that is known',
  async run(options) {
    const pushes = Number(options.records ?? 30_000)
    const connections = Number(options.connections ?? 64)
    const service = await startService()
    try {
      await measure(service, 'warm', { dataset: 'warm', pushes: pushes / 4, connections, keys: 'warm' })
      const plain = await measure(service, 'plain', { dataset: 'plain', pushes, connections })
      const keyed = await measure(service, 'keyed', { dataset: 'keyed', pushes, connections, keys: 'k' })
      const replayed = await measure(service, 'replayed', { dataset: 'keyed', pushes, connections, keys: 'k' })
      return { ...plain, ...keyed, ...replayed, peak_mb: Math.round(service.peakMb()) }
    } finally {
      await service.stop()
      removeData(service)
    }
  },
}
