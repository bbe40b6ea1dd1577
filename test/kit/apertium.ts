import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** It starts in no other locale. */
const env = { ...process.env, LC_ALL: 'C.UTF-8' }

/** Where Debian's packages of Apertium put the language pairs. */
const PAIRS = '/usr/share/apertium/modes'

/** Whether Debian's apertium-apy and apertium-eng-spa are installed here. */
export function hasApertium(): boolean {
  try {
    execFileSync('apertium-apy', ['--help'], { stdio: 'ignore', env })
    return execFileSync('apertium', ['-l'], { encoding: 'utf8' }).includes('eng-spa')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return false
  }
}

/** A translation server of its own, on a port of its own. */
export async function startApertium(): Promise<{ url: string; stop(): Promise<void> }> {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'apertium-'))
  const server = spawn('apertium-apy', ['-p', String(port), '-t', '30', PAIRS], {
    ...{ cwd: folder, stdio: 'ignore', detached: true, env },
  })
  const url = `http://127.0.0.1:${port}`
  const stop = async () => {
    if (server.exitCode === null) {
      const gone = new Promise(resolve => server.once('exit', resolve))
      // Its pipelines are its children. It may wait for ever for one of them when it is asked to end.
      process.kill(-server.pid!, 'SIGKILL')
      await gone
    }
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await answering(`${url}/listPairs`, server)
  } catch (error) {
    await stop()
    throw error
  }
  return { url, stop }
}

async function answering(url: string, server: ChildProcess): Promise<void> {
  const until = Date.now() + 30_000
  for (;;) {
    if (server.exitCode !== null) throw new Error(`apertium-apy ended with ${server.exitCode}`)
    const answer = await fetch(url).catch(() => undefined)
    if (answer?.ok) return
    if (Date.now() > until) throw new Error('apertium-apy does not answer within 30 s')
    await new Promise(resolve => setTimeout(resolve, 100))
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}
