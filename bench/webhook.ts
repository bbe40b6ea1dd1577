import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { run } from '../test/kit/processes.ts'
import { removeData, type Service, startService } from '../test/kit/service.ts'
import type { Bench, Figures } from './bench.ts'
import type { WebhookJob } from './webhook-client.ts'

const CLIENT = fileURLToPath(new URL('./webhook-client.ts', import.meta.url))

async function deliver(service: Service, job: WebhookJob): Promise<Figures> {
  const before = service.cpuSeconds()
  const client = run(process.execPath, [CLIENT, JSON.stringify(job)])
  await new Promise(resolve => client.child.on('close', resolve))
  const line = client
    .output()
    .split('\n')
    .find(each => each.startsWith('{"requests_per_s"'))
  if (!line) throw new Error(`the load client failed: ${client.output()}`)
  const cpu_us_per_request = Math.round(((service.cpuSeconds() - before) / job.deliveries) * 1e6)
  return { ...JSON.parse(line), cpu_us_per_request }
}

export const webhook: Bench = {
  name: 'webhook',
  about: 'deliveries signed by Standard Webhooks, each durable and known again before its answer',
  async run(options) {
    const deliveries = Number(options.records ?? 50_000)
    const connections = Number(options.connections ?? 64)
    const service = await startService({ RATE_LIMIT_PUSH: '0' })
    const secret = `whsec_${randomBytes(24).toString('base64')}`
    try {
      const made = await fetch(`${service.url}/webhooks`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${service.token}`, 'Content-Type': 'application/json' },
        body: JSON.stringify({
          ...{ name: 'bench', dataset: 'bench', record_id: '/id', signature: { scheme: 'standard', secret } },
          schema: { type: 'object', required: ['id'], properties: { id: { type: 'string' } } },
        }),
      })
      const { id } = (await made.json()) as { id: string }
      const job = { url: service.url, webhookId: id, secret, connections }
      await deliver(service, { ...job, deliveries: deliveries / 5, prefix: 'warm' })
      return {
        ...(await deliver(service, { ...job, deliveries, prefix: 'msg' })),
        peak_mb: Math.round(service.peakMb()),
      }
    } finally {
      await service.stop()
      removeData(service)
    }
  },
}
