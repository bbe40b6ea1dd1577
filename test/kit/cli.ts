import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Service } from './service.ts'

export const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))

export interface Ended {
  /** Null: a signal ended it. */
  readonly code: number | null
  readonly stdout: string
  /** The same as it came. */
  readonly bytes: Buffer
  readonly stderr: string
}

export interface Started {
  readonly ended: Promise<Ended>
  stdout(): string
  /** How many pieces it has printed. */
  printed(): number
  stderr(): string
  write(text: string): void
  end(): void
  /** Takes nothing more of what it prints, for a while. */
  pause(): void
  resume(): void
  signal(signal: NodeJS.Signals): void
}

/** Runs a command against a service. */
export function startCli(
  { url, dataDir }: Pick<Service, 'url' | 'dataDir'>,
  args: readonly string[],
  env: Record<string, string> = {},
): Started {
  const { hostname, port } = new URL(url)
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', CLI, ...args], {
    env: { PATH: process.env.PATH!, HOST: hostname, PORT: port, DATA_DIR: dataDir, ...env },
  })
  const kill = () => void child.kill('SIGKILL')
  process.once('exit', kill)
  const printed: Buffer[] = []
  let stderr = ''
  child.stdout.on('data', chunk => void printed.push(chunk))
  const stdout = () => Buffer.concat(printed).toString()
  child.stderr.on('data', chunk => {
    stderr += chunk
  })
  // Whoever has ended takes nothing more.
  child.stdin.on('error', () => undefined)
  const ended = new Promise<Ended>(resolve => {
    child.on('close', code => {
      process.removeListener('exit', kill)
      resolve({ code, stdout: stdout(), stderr, bytes: Buffer.concat(printed) })
    })
  })
  return {
    ended,
    stdout,
    printed: () => printed.length,
    stderr: () => stderr,
    write: text => void child.stdin.write(text),
    end: () => void child.stdin.end(),
    pause: () => void child.stdout.pause(),
    resume: () => void child.stdout.resume(),
    signal: signal => void child.kill(signal),
  }
}

/** The same, to its end; `input` is what comes on stdin. */
export function runCli(
  service: Pick<Service, 'url' | 'dataDir'>,
  args: readonly string[],
  { input = '', env = {} }: { input?: string; env?: Record<string, string> } = {},
): Promise<Ended> {
  const started = startCli(service, args, env)
  started.write(input)
  started.end()
  return started.ended
}
