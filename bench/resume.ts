import type { Bench, Figures } from './bench.ts'
import { round, runClient, startClient, withService } from './live-load.ts'
import { recordLine } from './records.ts'

const CLIENTS = 200
const BEHIND = 100_000

export const resume: Bench = {
  name: 'resume',
  about: `${CLIENTS} clients, each ${BEHIND} messages behind, catch up; meanwhile from a push to its message for one who is live, 200 records a second`,
  run: () =>
    withService(async (service): Promise<Figures> => {
      const { url, token } = service
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/x-ndjson' }
      const push = async (dataset: string, body: string) => {
        const answer = await fetch(`${url}/push/stream?dataset=${dataset}&ack=projected`, {
          method: 'POST',
          headers,
          body,
        })
        const { position, accepted } = (await answer.json()) as { position: string; accepted: number }
        await fetch(`${url}/datasets?min_position=${position}`, { headers })
        return { position, accepted }
      }
      const { position: since } = await push('before', recordLine(0, 0))
      const { accepted } = await push('past', Array.from({ length: BEHIND }, (_, n) => recordLine(n, n)).join(''))
      if (accepted !== BEHIND) throw new Error(`${accepted} of ${BEHIND} records were taken in`)
      const live = { url, token, does: 'latency', batch: 2, perSecond: 200 } as const
      await runClient({ ...live, dataset: 'warm', changes: 400 })
      const latency = startClient<Figures>({ ...live, dataset: 'live', changes: 1_000_000 })
      const catching = {
        url,
        token,
        does: 'catch-up',
        dataset: 'past',
        changes: BEHIND,
        subscribers: CLIENTS,
        since,
      } as const
      const client = startClient<{ seconds: number }>(catching)
      await Promise.all([latency.ready, client.ready])
      const before = service.cpuSeconds()
      latency.go()
      client.go()
      const { seconds } = await client.result
      const cpuUs = ((service.cpuSeconds() - before) / (CLIENTS * BEHIND)) * 1e6
      latency.go()
      const { p99_ms, p50_ms, max_ms } = await latency.result
      return {
        caught_up_s: round(seconds),
        live_p99_ms: round(p99_ms!),
        live_p50_ms: round(p50_ms!),
        live_max_ms: round(max_ms!),
        cpu_us_per_delivery: round(cpuUs),
        peak_mb: Math.round(service.peakMb()),
      }
    }),
}
