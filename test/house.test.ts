import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { withSettings } from '../scripts/readme-settings.ts'
import { NODE_ARGS } from './kit/processes.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const MAX_LINES = 300

function files(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter(file => file.endsWith('.ts'))
    .map(file => join(folder, file))
}

/** What a file imports: paths from the root for our own, names for packages. Types do not tie: they are left out. */
function imports(file: string, options: { types: boolean }): string[] {
  const text = readFileSync(join(root, file), 'utf8')
  const found = [...text.matchAll(/^(?:import|export)\s+(type\s)?[^'";]*?from\s+'([^']+)'|import\('([^']+)'\)/gms)]
  return found
    .filter(([, type]) => options.types || !type)
    .map(([, , from, dynamic]) => from ?? dynamic!)
    .map(target => (target.startsWith('.') ? relative(root, join(root, dirname(file), target)) : target))
}

/** Which folders each folder may import from; `packages` stands for anything outside. */
const RULES: Record<string, readonly string[]> = {
  'src/kernel': ['src/kernel'],
  'src/events': [],
  'src/domain': ['src/kernel', 'src/events', 'src/domain'],
  'src/projections': ['src/kernel', 'src/events', 'src/domain', 'src/projections'],
  'src/log': ['src/kernel', 'src/events', 'src/log', 'packages'],
  'src/store': ['src/kernel', 'src/store', 'packages'],
  'src/catalog': ['src/kernel', 'src/catalog', 'packages'],
  'src/telemetry': ['src/kernel', 'packages'],
  'src/threads': ['src/kernel', 'src/log', 'src/store', 'src/threads', 'packages'],
  'src/intake': ['src/kernel', 'src/events', 'src/log', 'src/catalog', 'src/domain', 'src/intake', 'packages'],
  'src/workers': [
    'src/kernel',
    'src/events',
    'src/domain',
    'src/projections',
    'src/log',
    'src/store',
    'src/catalog',
    'src/intake',
    'src/workers',
    'packages',
  ],
  'client/src': ['client/src'],
  'src/edge': [
    'src/kernel',
    'src/events',
    'src/projections',
    'src/log',
    'src/store',
    'src/threads',
    'src/catalog',
    'src/intake',
    'src/edge',
    'packages',
  ],
}

/** Files that hold an adapter; only src/adapters.ts may name them. */
const ADAPTERS = [
  'src/log/embedded.ts',
  'src/log/kafka.ts',
  'src/log/memory.ts',
  'src/store/sqlite.ts',
  'src/store/postgres.ts',
  'src/store/secrets-sqlite.ts',
  'src/store/files-directory.ts',
  'src/store/keeps-postgres.ts',
  'src/edge/idempotency/keeper.ts',
  'src/edge/idempotency/sqlite.ts',
  'src/edge/idempotency/redis.ts',
]

describe('the house', () => {
  it.each(Object.entries(RULES))('%s imports only what it may', (folder, allowed) => {
    const wrong = files(folder).flatMap(file =>
      imports(file, { types: false })
        .filter(target => {
          const inside = /^(client\/)?src\//.test(target)
          return inside ? !allowed.some(each => target.startsWith(`${each}/`)) : !allowed.includes('packages')
        })
        .map(target => `${file} imports ${target}`),
    )
    expect(wrong).toEqual([])
  })

  it('names adapters in src/adapters.ts only', () => {
    const wrong = files('src')
      .filter(file => file !== 'src/adapters.ts')
      .filter(file => imports(file, { types: true }).some(target => ADAPTERS.includes(target)))
    expect(wrong).toEqual([])
  })

  it('keeps clocks and randomness out of kernel, domain and projections', () => {
    const impure = /\bDate\.now\(|new Date\(\)|Math\.random\(|crypto\.|process\.|performance\.now\(/
    const wrong = ['src/kernel', 'src/domain', 'src/projections']
      .flatMap(files)
      .filter(file => impure.test(readFileSync(join(root, file), 'utf8')))
    expect(wrong).toEqual([])
  })

  it(`keeps every file within ${MAX_LINES} lines`, () => {
    const long = ['src', 'client/src', 'test', 'bench', 'scripts']
      .flatMap(files)
      .filter(file => !file.startsWith('src/events/'))
      .map(file => `${file}: ${readFileSync(join(root, file), 'utf8').split('\n').length - 1}`)
      .filter(line => Number(line.split(': ')[1]) > MAX_LINES)
    expect(long).toEqual([])
  })

  it('gives Node the same wherever the service is started', () => {
    const text = (file: string) => readFileSync(join(root, file), 'utf8')
    const { start, sync } = JSON.parse(text('package.json')).scripts
    const [, image] = /^CMD (\[.*\])$/m.exec(text('Dockerfile'))!
    const [program] = text('src/cli.ts').split('\n')
    const command = ['node', ...NODE_ARGS].join(' ')
    expect([program, start, sync, JSON.parse(image!).join(' ')]).toEqual([
      `#!/usr/bin/env -S ${command}`,
      `exec ${command} dist/cli.js serve`,
      `exec ${command} dist/cli.js`,
      `${command} dist/cli.js serve`,
    ])
  })

  it('has every setting in the README, as src/config.ts has it', () => {
    const readme = readFileSync(join(root, 'README.md'), 'utf8')
    expect(readme).toBe(withSettings(readme))
  })
})
