import type { Config } from '../config.ts'

/** An option of a command. */
export interface Option {
  /** What its value is called in help, as FILE; without it the option is a switch. */
  readonly value?: string
  readonly about: string
}

export type Options = Readonly<Record<string, Option>>

/** What was given for each option. */
export type Given<O extends Options> = {
  readonly [Name in keyof O]?: (O[Name] extends { readonly value: string } ? string : boolean) | undefined
}

export interface Invocation<O extends Options = Options> {
  readonly config: Config
  readonly options: Given<O>
  /** As many as the command has operands, but for optional ones that were not given. */
  readonly operands: readonly string[]
}

/** What an operator can run: its help is drawn from it, and its line in src/cli/commands.ts makes it known. */
export interface Command<O extends Options = Options> {
  readonly name: string
  /** One line, for the list of commands. */
  readonly summary: string
  /** What must be given besides options, as FILE; in brackets what may be. */
  readonly operands?: readonly string[]
  readonly options: O
  /** What it does, what it needs and what is safe: lines of at most 100 characters. */
  readonly about: string
  /** Lines that can be run as they are, each with what it does. */
  readonly examples: readonly { readonly line: string; readonly about: string }[]
  /** What its exit codes mean where they are not the usual ones, see help.ts. */
  readonly exits?: Readonly<Record<number, string>>
  /**
   * Resolves with the exit code, or with nothing when it goes on. Throws DomainError for what the user can mend. What it
   * finds goes to stdout, how it goes on to stderr.
   */
  run(invocation: Invocation<O>): Promise<number | undefined>
}

/** Lets a command's options say what its `run` is given. */
export function command<const O extends Options>(command: Command<O>): Command {
  return command as unknown as Command
}
