#!/usr/bin/env node
import { parseArgs } from 'node:util'
import { fetchToken } from './cli/client.ts'
import { MIGRATE_HELP, migrate } from './cli/migrate.ts'
import { REPLAY_HELP, REPLAY_OPTIONS, replay } from './cli/replay.ts'
import { watch } from './cli/watch.ts'
import { type Config, readConfig, settingRows } from './config.ts'
import { DomainError, invalid } from './kernel/errors.ts'

const HELP = `superinsight-sync: takes data in, remembers every change as an event, shows it live

Usage
  superinsight-sync serve                 run the service (npm start)
  superinsight-sync token                 print an access token of the first client
  superinsight-sync watch [--dataset D] [--since POSITION] [--count N]
                                          print changes as they happen, a JSON line each
  superinsight-sync replay [--topic T] [--from WHERE] [--output FILE | --into TOPIC]
                                          print what happened, or copy it (replay --help)
  superinsight-sync migrate               copy the embedded log in DATA_DIR to Kafka (migrate --help)
  superinsight-sync --help                this text

Settings (environment)
`

function help(): string {
  const rows = settingRows()
  const name = Math.max(...rows.map(([each]) => each.length))
  const shown = Math.max(...rows.map(([, each]) => each.length))
  return HELP + rows.map(([n, s, about]) => `  ${n.padEnd(name)}  ${s.padEnd(shown)}  ${about}`).join('\n')
}

async function serve(config: Config): Promise<void> {
  // Only here: the other commands need none of the service.
  const { startService } = await import('./main.ts')
  const service = await startService(config)
  if (service.credentialsFile) console.error(`credentials of the first client: ${service.credentialsFile}`)
  console.log(service.url)
  let stopping = false
  const stop = async () => {
    // A second signal means now.
    if (stopping) process.exit(1)
    stopping = true
    await service.stop()
    process.exit(0)
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
}

async function main(): Promise<void> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h' },
      dataset: { type: 'string' },
      since: { type: 'string' },
      count: { type: 'string' },
      ...REPLAY_OPTIONS,
    },
  })
  const [command, ...rest] = positionals
  if (values.help && command === 'migrate') return console.log(MIGRATE_HELP)
  if (values.help && command === 'replay') return console.log(REPLAY_HELP)
  if (values.help || command === undefined) return console.log(help())
  if (rest.length > 0) throw invalid('arguments', `${rest.join(' ')} is too much; see --help`)
  const config = readConfig(process.env)
  if (command === 'serve') return serve(config)
  if (command === 'token') return console.log(await fetchToken(config))
  if (command === 'migrate') {
    process.exitCode = await migrate(config)
    return
  }
  if (command === 'replay') return replay(config, values)
  if (command !== 'watch')
    throw invalid('command', `${command} is none of serve, token, watch, replay, migrate; see --help`)
  const count = values.count === undefined ? undefined : Number(values.count)
  if (count !== undefined && !(Number.isInteger(count) && count > 0)) {
    throw invalid('count', `expected a whole number from 1, got ${values.count}`)
  }
  await watch(config, { dataset: values.dataset, since: values.since, count })
}

main().catch(error => {
  const expected =
    error instanceof DomainError || String((error as { code?: unknown }).code).startsWith('ERR_PARSE_ARGS')
  console.error(expected ? `superinsight-sync: ${error.message}` : error)
  process.exit(expected ? 2 : 1)
})
