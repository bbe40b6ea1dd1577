#!/usr/bin/env -S node --disable-warning=ExperimentalWarning --v8-pool-size=0
import { readFileSync } from 'node:fs'
import { meant, misused, readArguments } from './cli/arguments.ts'
import type { Command } from './cli/command.ts'
import { commands } from './cli/commands.ts'
import { helpOf, helpOfAll } from './cli/help.ts'
import { readConfig } from './config.ts'
import { DomainError } from './kernel/errors.ts'

/** As shells tell of a program that SIGPIPE ended. */
const NO_READER = 141

function find(name: string): Command {
  const found = commands.find(command => command.name === name)
  if (found) return found
  const names = [...commands.map(command => command.name), 'help']
  return misused(undefined, `"${name.slice(0, 60)}" is no command${meant(name, names)}`)
}

/** Runs what the arguments say. Resolves with the exit code, or nothing when the process is to go on. */
async function main([name, ...args]: readonly string[]): Promise<number | undefined> {
  if (name === undefined || name === '--help' || name === '-h') return tell(helpOfAll(commands))
  if (name === '--version') return tell(version())
  if (name === 'help') {
    if (args.length > 1) misused(undefined, `help takes one command, got "${args.join(' ')}"`)
    return tell(args[0] === undefined ? helpOfAll(commands) : helpOf(find(args[0])))
  }
  const command = find(name)
  const { help, options, operands } = readArguments(command, args)
  if (help) return tell(helpOf(command))
  return command.run({ config: readConfig(process.env), options, operands })
}

function tell(text: string): number {
  console.log(text)
  return 0
}

function version(): string {
  return JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version
}

/** What goes wrong outside of this program is told in a sentence; of what is a fault in it the trace says more. */
function told(error: unknown): unknown {
  const outside = error instanceof DomainError || (error instanceof Error && 'syscall' in error)
  return outside ? `superinsight-sync: ${error.message}` : error
}

process.stdout.on('error', error => {
  // Whoever read it has had enough.
  if ((error as NodeJS.ErrnoException).code === 'EPIPE') process.exit(NO_READER)
  console.error(told(error))
  process.exit(1)
})

main(process.argv.slice(2)).then(
  code => {
    if (code !== undefined) process.exitCode = code
  },
  error => {
    console.error(told(error))
    process.exit(error instanceof DomainError && error.code !== 'UNAVAILABLE' ? 2 : 1)
  },
)
