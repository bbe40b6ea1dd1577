import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { NODE_ARGS, type Running, run, until } from './processes.ts'

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const TICKS_A_SECOND = 100

/** A process of the service, as `npm start` runs it. */
export interface ServiceProcess {
  readonly url: string
  readonly dataDir: string
  readonly process: Running
  /** CPU time it has used, in seconds. */
  cpuSeconds(): number
  /** Largest resident memory it has had, in MB. */
  peakMb(): number
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

/** A process with an edge, and a token of its first client. */
export interface Service extends ServiceProcess {
  readonly token: string
  get(path: string): Promise<Response>
  post(path: string, body: unknown): Promise<Response>
}

interface StartOptions {
  dataDir?: string
  nodeArgs?: string[]
}

export async function startProcess(
  env: Record<string, string> = {},
  options: StartOptions = {},
): Promise<ServiceProcess> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'sync-service-'))
  const args = [...NODE_ARGS, ...(options.nodeArgs ?? []), CLI, 'serve']
  const process_ = run(process.execPath, args, {
    cwd: ROOT,
    env: {
      PATH: process.env.PATH ?? '',
      // There are hundreds of starts in a run of the tests: each begins with what the one before has compiled.
      NODE_COMPILE_CACHE: join(tmpdir(), 'sync-tests-compiled'),
      ...(process.env.MALLOC_ARENA_MAX ? { MALLOC_ARENA_MAX: process.env.MALLOC_ARENA_MAX } : {}),
      HOST: '127.0.0.1',
      PORT: '0',
      DATA_DIR: dataDir,
      RATE_LIMIT_API: '0',
      RATE_LIMIT_PUSH: '0',
      LOG_LEVEL: 'warn',
      ...env,
    },
  })
  const url = await until(
    'the service to be ready',
    () => {
      if (process_.child.exitCode !== null || process_.child.signalCode !== null) return 'ended'
      return /^http:\S+$/m.exec(process_.output())?.[0]
    },
    60_000,
  )
  if (url === 'ended') throw new Error(`the service ended: ${process_.output()}`)
  const { pid } = process_.child
  return {
    url,
    dataDir,
    process: process_,
    cpuSeconds() {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /, '')
        .split(' ')
      return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND
    },
    peakMb: () => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024,
    stop: signal => process_.end(signal),
  }
}

export async function startService(env: Record<string, string> = {}, options: StartOptions = {}): Promise<Service> {
  const started = await startProcess(env, options)
  const { url, dataDir } = started
  const { ADMIN_CLIENT_ID: client_id, ADMIN_CLIENT_SECRET: client_secret } = env
  const client = client_id
    ? { client_id, client_secret }
    : JSON.parse(readFileSync(join(dataDir, 'credentials.json'), 'utf8'))
  const answer = await fetch(`${url}/auth/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ grant_type: 'client_credentials', ...client }),
  })
  if (!answer.ok) throw new Error(`no token: ${answer.status} ${await answer.text()} ${started.process.output()}`)
  const token = ((await answer.json()) as { access_token: string }).access_token
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  return {
    ...started,
    token,
    get: path => fetch(`${url}${path}`, { headers }),
    post: (path, body) => fetch(`${url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) }),
  }
}

/** Waits until everything up to a position is in the read model. */
export async function untilProjected(service: Service, position: string): Promise<void> {
  for (;;) {
    const answer = await service.get(`/datasets?min_position=${position}`)
    if (answer.status !== 504) return
  }
}

export function removeData(service: Pick<Service, 'dataDir'>): void {
  rmSync(service.dataDir, { recursive: true, force: true })
}
