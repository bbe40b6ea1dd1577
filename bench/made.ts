import { type Answer, pushLines } from '../test/kit/api.ts'
import { type JobAnswer, jobUntil } from '../test/kit/forms.ts'
import { ASYNC, type MadeAnswer } from '../test/kit/made-datasets.ts'
import { removeData, type Service, startService, untilProjected } from '../test/kit/service.ts'

const LINES = 20_000
const LONGEST_MS = 1_800_000

/** Pushes rows, JSON texts by their number, and waits until they can be read. */
export async function fillDataset(
  service: Service,
  dataset: string,
  count: number,
  row: (n: number) => string,
): Promise<void> {
  let position = ''
  for (let from = 0; from < count; from += LINES) {
    const length = Math.min(LINES, count - from)
    const lines = Array.from({ length }, (_, n) => {
      return `{"id":"${dataset}${String(from + n).padStart(8, '0')}","data":${row(from + n)}}\n`
    })
    const { status, text, body } = await pushLines(service, `source=bench&dataset=${dataset}`, lines.join(''))
    if (status !== 200 || body.rejected > 0) throw new Error(`${status} ${text.slice(0, 500)}`)
    position = body.position
  }
  await untilProjected(service, position)
}

/** Has a job make a data set: its result, rows a second from the request to the end of the job, and CPU time for each. */
export async function throughService(
  service: Service,
  ask: (headers: Record<string, string>) => Promise<Answer<MadeAnswer>>,
): Promise<{ result: MadeAnswer; rows_per_s: number; cpu_us_per_row: number }> {
  const cpu = service.cpuSeconds()
  const begun = performance.now()
  const { status, text, body } = await ask(ASYNC)
  if (status !== 202) throw new Error(`${status} ${text}`)
  const over = ({ status }: JobAnswer) => ['completed', 'failed', 'cancelled'].includes(status)
  const job = await jobUntil(service, body.job_id, over, LONGEST_MS)
  const seconds = (performance.now() - begun) / 1000
  if (job.status !== 'completed') throw new Error(JSON.stringify(job))
  const { result } = job as unknown as { result: MadeAnswer }
  return {
    result,
    rows_per_s: Math.round(result.final_records / seconds),
    cpu_us_per_row: Math.round(((service.cpuSeconds() - cpu) / result.final_records) * 1e6),
  }
}

/** Starts a service for a measurement, and removes it after. */
export async function withService<T>(measure: (service: Service) => Promise<T>): Promise<T> {
  const service = await startService()
  try {
    return await measure(service)
  } finally {
    await service.stop()
    removeData(service)
  }
}
