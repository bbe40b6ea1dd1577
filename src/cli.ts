#!/usr/bin/env node
import { parseArgs } from 'node:util'
import { readConfig, settingRows } from './config.ts'
import { DomainError } from './kernel/errors.ts'
import { startService } from './main.ts'

const HELP = `superinsight-sync: takes data in, remembers every change as an event, shows it live

Usage
  superinsight-sync serve     run the service (npm start)
  superinsight-sync --help    this text

Settings (environment)
`

function help(): string {
  const rows = settingRows()
  const name = Math.max(...rows.map(([each]) => each.length))
  const shown = Math.max(...rows.map(([, each]) => each.length))
  return HELP + rows.map(([n, s, about]) => `  ${n.padEnd(name)}  ${s.padEnd(shown)}  ${about}`).join('\n')
}

async function serve(): Promise<void> {
  const service = await startService(readConfig(process.env))
  if (service.credentialsFile) console.error(`credentials of the first client: ${service.credentialsFile}`)
  console.log(service.url)
  let stopping = false
  const stop = async () => {
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
    options: { help: { type: 'boolean', short: 'h' } },
  })
  const [command, ...rest] = positionals
  if (values.help || command === undefined) return console.log(help())
  if (command !== 'serve' || rest.length > 0)
    throw new DomainError('VALIDATION_ERROR', `unknown command: ${positionals.join(' ')}; see --help`)
  await serve()
}

main().catch(error => {
  console.error(error instanceof DomainError ? `superinsight-sync: ${error.message}` : error)
  process.exit(error instanceof DomainError ? 2 : 1)
})
