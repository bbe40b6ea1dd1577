import { mkdtempSync, openAsBlob, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { until } from '../test/kit/processes.ts'
import { removeData, type Service, startService, untilProjected } from '../test/kit/service.ts'
import type { Bench } from './bench.ts'

const DATA = fileURLToPath(new URL('../node_modules/vega-datasets/data', import.meta.url))
const LONGEST_MS = 600_000
/** A small file is imported anew until there were so many rows: a service does not start for each. */
const ROWS = 600_000

/** The file of each format: the flights of vega-datasets, as they come or, for csv, written from their JSON. */
const FILES: Readonly<Record<string, (folder: string) => string>> = {
  json: () => join(DATA, 'flights-200k.json'),
  parquet: () => join(DATA, 'flights-3m.parquet'),
  csv(folder) {
    const rows: Record<string, unknown>[] = JSON.parse(readFileSync(join(DATA, 'flights-200k.json'), 'utf8'))
    const columns = Object.keys(rows[0]!)
    const lines = rows.map((row, n) => [`flight-${n}`, ...columns.map(column => row[column])].join(','))
    const file = join(folder, 'flights.csv')
    writeFileSync(file, `${['id', ...columns].join(',')}\n${lines.join('\n')}\n`)
    return file
  },
}

/** Uploads a file and waits until its last row is in the read model; gives back how many rows it had. */
async function importFile(service: Service, file: string, dataset: string): Promise<number> {
  const form = new FormData()
  form.set('file', await openAsBlob(file), 'flights')
  form.set('options', JSON.stringify({ dataset }))
  const headers = { Authorization: `Bearer ${service.token}` }
  const answer = await fetch(`${service.url}/push/file`, { method: 'POST', headers, body: form })
  const { job_id, records_count } = (await answer.json()) as { job_id: string; records_count: number }
  const job = await until(
    'the import to end',
    async () => {
      const found = (await (await service.get(`/jobs/${job_id}`)).json()) as { status: string; position: string }
      if (found.status === 'failed') throw new Error(JSON.stringify(found))
      return found.status === 'completed' && found
    },
    LONGEST_MS,
  )
  await untilProjected(service, job.position)
  return records_count
}

export const file: Bench = {
  name: 'file',
  about:
    'a file of flights, --format csv, json or parquet, from its upload until its rows are in the read model: the first one ' +
    'after the start, and the last of about 600,000 rows',
  async run(options) {
    const format = options.format ?? 'csv'
    const source = FILES[format]
    if (!source) throw new Error(`--format ${format}: there are ${Object.keys(FILES).join(', ')}`)
    const folder = mkdtempSync(join(tmpdir(), 'sync-bench-'))
    const service = await startService(
      {},
      options.profile ? { nodeArgs: ['--cpu-prof', '--cpu-prof-dir', options.profile] } : {},
    )
    try {
      const path = source(folder)
      const rates: number[] = []
      let [sum, cpu] = [0, 0]
      while (sum < ROWS) {
        cpu = service.cpuSeconds()
        const started = performance.now()
        const rows = await importFile(service, path, `flights-${rates.length}`)
        rates.push(Math.round(rows / ((performance.now() - started) / 1000)))
        cpu = Math.round(((service.cpuSeconds() - cpu) / rows) * 1e8) / 100
        sum += rows
      }
      const peak_mb = Math.round(service.peakMb())
      return { first_rows_per_s: rates[0]!, rows_per_s: rates.at(-1)!, cpu_us_per_row: cpu, peak_mb }
    } finally {
      await service.stop()
      removeData(service)
      rmSync(folder, { recursive: true, force: true })
    }
  },
}
