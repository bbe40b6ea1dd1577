import { settingRows } from '../config.ts'
import type { Command } from './command.ts'

const NAME = 'superinsight-sync'

const EXITS: Readonly<Record<number, string>> = {
  0: 'done, and all is well',
  1: 'it failed on the way, something that it needs does not answer, or it found that something is not well',
  2: 'refused before anything was done: wrong usage, a wrong setting, or the service says no',
}

/** What all commands are, and what can be set. */
export function helpOfAll(commands: readonly Command[]): string {
  return `${NAME}: takes data in, remembers every change as an event, shows it live

Usage
  ${NAME} COMMAND [options]
  ${NAME} help COMMAND        what a command does, with examples
  ${NAME} --help              this text
  ${NAME} --version

Commands
${table(commands.map(command => [synopsis(command), command.summary]))}

Commands other than serve, migrate and verify ask the running service at HOST and PORT, as the client whose credentials are
in DATA_DIR/credentials.json, or ADMIN_CLIENT_ID and ADMIN_CLIENT_SECRET. What they find goes to stdout, how far they are to
stderr.

Exit codes
${exits({})}

Settings (environment)
${table(settingRows())}`
}

/** What one command does. */
export function helpOf(command: Command): string {
  const options = Object.entries(command.options).map(([name, { value, about }]) => [
    value === undefined ? `--${name}` : `--${name} ${value}`,
    about,
  ])
  const examples = command.examples.map(({ line, about }) => `  # ${about}\n  ${line}`)
  return `${NAME} ${command.name}: ${command.summary}

Usage
  ${NAME} ${synopsis(command)}${options.length > 0 ? ' [options]' : ''}

${command.about.trim()}
${options.length > 0 ? `\nOptions\n${table(options)}\n` : ''}
Examples
${examples.join('\n\n')}

Exit codes
${exits(command.exits ?? {})}`
}

function synopsis({ name, operands = [] }: Command): string {
  return [name, ...operands].join(' ')
}

function exits(own: Readonly<Record<number, string>>): string {
  const rows = Object.entries({ ...EXITS, ...own })
  return table([
    ...rows,
    ['128 + n', 'ended by signal n: 130 after Ctrl-C, 141 when the reader of its output has gone'],
  ])
}

/** Rows with their columns one below the other; the last one is as long as it is. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map(row => row[column]!.length)))
  return rows.map(row => `  ${row.map((cell, column) => cell.padEnd(widths[column]!)).join('  ')}`.trimEnd()).join('\n')
}
