import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/** What Node is given wherever the service is started (decision 37): tests and benches do so without its scripts. */
export const NODE_ARGS = ['--disable-warning=ExperimentalWarning', '--v8-pool-size=0']

/**
 * A port that was free a moment ago, below the range the kernel hands out by itself: nobody's
 * outgoing connection takes it before it is used, or while a server on it is down.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_240, 32_768)
    if (await isFree(port)) return port
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? resolve(false) : reject(error)))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

export interface Running {
  readonly child: ChildProcess
  /** What it has printed so far, both outputs. */
  output(): string
  /** Sends a signal and waits for the end; resolves with the exit code, null after a signal. */
  end(signal?: NodeJS.Signals): Promise<number | null>
}

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Starts a program that does not outlive this one. */
export function run(command: string, args: readonly string[], options: SpawnOptions = {}): Running {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options })
  let output = ''
  const keep = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-200_000)
  }
  child.stdout?.on('data', keep)
  child.stderr?.on('data', keep)
  running.add(child)
  const ended = new Promise<number | null>(resolve => {
    child.on('exit', code => {
      running.delete(child)
      resolve(code)
    })
    child.on('error', error => {
      output += String(error)
      running.delete(child)
      resolve(-1)
    })
  })
  return {
    child,
    output: () => output,
    end(signal = 'SIGTERM') {
      child.kill(signal)
      return ended
    },
  }
}

/** Waits until `check` gives something other than undefined or false; errors count as not yet. */
export async function until<T>(
  what: string,
  check: () => T | undefined | false | Promise<T | undefined | false>,
  ms = 30_000,
): Promise<T> {
  const end = Date.now() + ms
  let last: unknown
  for (;;) {
    try {
      const found = await check()
      if (found !== undefined && found !== false) return found
    } catch (error) {
      last = error
    }
    if (Date.now() > end) throw new Error(`waited ${ms} ms for ${what}`, { cause: last })
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}
