import { cpus, totalmem } from 'node:os'
import { parseArgs } from 'node:util'
import { asof } from './asof.ts'
import { augment } from './augment.ts'
import type { Bench } from './bench.ts'
import { dilute } from './dilute.ts'
import { experiment } from './experiment.ts'
import { file } from './file.ts'
import { ingest } from './ingest.ts'
import { keys } from './keys.ts'
import { fanout, latency } from './live.ts'
import { memory } from './memory.ts'
import { project } from './project.ts'
import { pull } from './pull.ts'
import { choice, quality } from './quality.ts'
import { rebuild } from './rebuild.ts'
import { replay } from './replay.ts'
import { resume } from './resume.ts'
import { scale } from './scale.ts'
import { sockets } from './sockets.ts'
import { webhook } from './webhook.ts'

const benches: readonly Bench[] = [
  ingest,
  latency,
  memory,
  fanout,
  resume,
  sockets,
  project,
  rebuild,
  replay,
  scale,
  keys,
  webhook,
  file,
  pull,
  quality,
  choice,
  dilute,
  augment,
  experiment,
  asof,
]

const machine = {
  cpu: cpus()[0]!.model,
  cores: cpus().length,
  memory_gb: Math.round(totalmem() / 2 ** 30),
  node: process.versions.node,
}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
    log: { type: 'string' },
    store: { type: 'string' },
    format: { type: 'string' },
    records: { type: 'string' },
    connections: { type: 'string' },
    profile: { type: 'string' },
  },
})

if (values.help) {
  console.log(
    `npm run bench [-- NAME…] [--json] [--log embedded|kafka] [--store sqlite|postgres] [--format csv|json|parquet] [--records N] [--connections N]\n`,
  )
  for (const { name, about } of benches) console.log(`  ${name.padEnd(10)} ${about}`)
  process.exit(0)
}

const unknown = positionals.find(name => !benches.some(bench => bench.name === name))
if (unknown) throw new Error(`there is no bench ${unknown}; there are ${benches.map(bench => bench.name).join(', ')}`)
const chosen = positionals.length > 0 ? benches.filter(bench => positionals.includes(bench.name)) : benches
const { json, help, ...options } = values
if (!json) console.log(`${machine.cpu}, ${machine.cores} cores, ${machine.memory_gb} GB, Node ${machine.node}`)
for (const bench of chosen) {
  const figures = await bench.run(options)
  if (json) console.log(JSON.stringify({ bench: bench.name, machine, figures }))
  else console.table(Object.entries(figures).map(([figure, value]) => ({ bench: bench.name, figure, value })))
}
process.exit(0)
