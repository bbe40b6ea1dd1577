import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const REQUIREMENTS = fileURLToPath(new URL('requirements.txt', import.meta.url))
/** What reads our files and topics. */
export const READERS = fileURLToPath(new URL('readers-requirements.txt', import.meta.url))
const cache = fileURLToPath(new URL('../../.tmp/parts', import.meta.url))

/**
 * The folder of the programs of a Python that has what a file of requirements names, made the first time. Throws when that
 * is impossible: it takes Python 3 with venv, and PyPI.
 */
export function pythonPrograms(requirements = REQUIREMENTS): string {
  const version = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12)
  const folder = join(cache, `python-${version}`)
  const done = join(folder, 'done')
  if (!existsSync(done)) {
    // A venv holds its own path, so it is made where it stays: the mark says that it is whole.
    rmSync(folder, { recursive: true, force: true })
    execFileSync('python3', ['-m', 'venv', folder], { stdio: ['ignore', 'pipe', 'pipe'] })
    const pip = ['-m', 'pip', '--quiet', '--disable-pip-version-check', 'install', '-r', requirements]
    execFileSync(join(folder, 'bin', 'python'), pip, { stdio: ['ignore', 'pipe', 'pipe'] })
    writeFileSync(done, '')
  }
  return join(folder, 'bin')
}
