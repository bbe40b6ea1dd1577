import { parseArgs } from 'node:util'
import { DomainError } from '../kernel/errors.ts'
import type { Command, Invocation, Options } from './command.ts'
import { nearest } from './nearest.ts'

/** Throws VALIDATION_ERROR: the arguments are not what `name` takes. */
export function misused(name: string | undefined, message: string): never {
  const help = name === undefined ? 'superinsight-sync --help' : `superinsight-sync help ${name}`
  throw new DomainError('VALIDATION_ERROR', `${message}; see ${help}`)
}

/** Asks back when a word is not known: ` did you mean …?` where one is near. */
export function meant(given: string, words: readonly string[]): string {
  const near = nearest(given, words)
  return near === undefined ? '' : `, did you mean ${near}?`
}

type Read = Pick<Invocation, 'options' | 'operands'> & { readonly help: boolean }

/** Reads what comes after a command's name. Throws VALIDATION_ERROR for what the command does not take. */
export function readArguments({ name, options, operands = [] }: Command<Options>, args: readonly string[]): Read {
  const known = Object.entries(options).map(
    ([name, { value }]) => [name, { type: value === undefined ? 'boolean' : 'string' }] as const,
  )
  const { tokens, positionals } = parseArgs({
    args: [...args],
    options: { ...Object.fromEntries(known), help: { type: 'boolean', short: 'h' } },
    strict: false,
    tokens: true,
    allowPositionals: true,
  })
  const given = new Map<string, string | boolean>()
  for (const token of tokens) {
    if (token.kind !== 'option') continue
    const option = token.name === 'help' ? HELP : Object.hasOwn(options, token.name) ? options[token.name] : undefined
    const { rawName, value, inlineValue } = token
    if (!option) misused(name, `${name} has no option ${rawName}${meant(rawName, optionNames(options))}`)
    if (given.has(token.name)) misused(name, `${rawName} is given twice`)
    if (option.value === undefined && value !== undefined) misused(name, `${rawName} takes no value, got "${value}"`)
    if (option.value !== undefined && (value === undefined || (!inlineValue && /^-./.test(value)))) {
      misused(name, `${rawName} needs a value: ${rawName} ${option.value}`)
    }
    given.set(token.name, value ?? true)
  }
  const help = given.delete('help')
  const least = operands.filter(operand => !operand.startsWith('[')).length
  if (!help && positionals.length < least) misused(name, `${name} needs ${operands[positionals.length]}`)
  const more = positionals.slice(operands.length)
  if (more.length > 0) misused(name, `${name} does not take "${more.join(' ')}"`)
  return { help, options: Object.fromEntries(given) as Invocation['options'], operands: positionals }
}

const HELP = { about: '', value: undefined }

function optionNames(options: Options): string[] {
  return [...Object.keys(options), 'help'].map(name => `--${name}`)
}
