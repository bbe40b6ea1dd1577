import { setTimeout as pause } from 'node:timers/promises'
import { DomainError } from '../kernel/errors.ts'
import { type Api, createApi } from './client.ts'
import { command } from './command.ts'
import { count, showProgress, type Told } from './progress.ts'

const LOOK_AGAIN_MS = 500
/** How long the service may be away meanwhile: a rebuild goes on when it is back. */
const AWAY_MS = 60_000

interface Shown {
  name: string
  rebuild: { id: string; state: string; progress: number | null } | null
  last_rebuild: {
    id: string
    state: string
    error: string | null
    compared: { rows: number; differing: number; version: number; version_before: number } | null
  } | null
}

export const rebuild = command({
  name: 'rebuild',
  summary: 'makes read models anew from the first event, while the service goes on with the old ones',
  operands: ['[NAME]'],
  options: {},
  about: `Asks the running service, and waits until it is done: rows are made beside those that are read, compared with them, and
put in their place at once. Without a name it is all of them, one after the other; GET /projections lists their names.
When one is under way already it waits for that one. It may be interrupted: the service goes on.`,
  examples: [
    { about: 'all of them', line: 'superinsight-sync rebuild' },
    { about: 'only the records', line: 'superinsight-sync rebuild records' },
  ],
  exits: {
    0: 'made anew, and no row differed that should not',
    1: 'a rebuild failed, or live rows differed from what the same version makes of the events: they are mended',
  },
  async run({ config, operands }) {
    const api = createApi(config)
    const names = operands.length > 0 ? operands : await namesOf(api)
    let code = 0
    for (const name of names) code = Math.max(code, await rebuildOne(api, name))
    return code
  },
})

async function namesOf(api: Api): Promise<string[]> {
  const { items } = (await (await api('/projections')).json()) as { items: Shown[] }
  return items.map(({ name }) => name)
}

async function rebuildOne(api: Api, name: string): Promise<number> {
  const path = `/projections/${encodeURIComponent(name)}`
  let told: Told = { text: `${name}: asked for` }
  const progress = showProgress(() => told)
  try {
    const before = await look(api, path)
    const id = before.rebuild?.id ?? (await ask(api, path))
    for (;;) {
      const { rebuild, last_rebuild } = await look(api, path)
      if (rebuild?.id !== id) return tell(name, id, last_rebuild, progress.line)
      told = { text: `${name}: ${rebuild.state}`, part: rebuild.progress === null ? undefined : rebuild.progress / 100 }
      await pause(LOOK_AGAIN_MS)
    }
  } finally {
    progress.stop()
  }
}

/** Asks for a rebuild; resolves with its id, or with that of one that somebody else has asked for meanwhile. */
async function ask(api: Api, path: string): Promise<string> {
  try {
    const answer = (await (await api(`${path}/rebuild`, { method: 'POST' })).json()) as Shown
    return answer.rebuild!.id
  } catch (error) {
    if (!(error instanceof DomainError) || error.code !== 'CONFLICT') throw error
    const { rebuild, last_rebuild } = await look(api, path)
    return (rebuild ?? last_rebuild)!.id
  }
}

/** How a projection stands; a service that is away for a while is waited for. */
async function look(api: Api, path: string): Promise<Shown> {
  for (const end = Date.now() + AWAY_MS; ; ) {
    try {
      return (await (await api(path)).json()) as Shown
    } catch (error) {
      if (!(error instanceof DomainError) || error.code !== 'UNAVAILABLE' || Date.now() > end) throw error
      await pause(LOOK_AGAIN_MS)
    }
  }
}

function tell(name: string, id: string, last: Shown['last_rebuild'], line: (text: string) => void): number {
  if (last?.id !== id) {
    line(`${name}: it has ended, and another one since`)
    return 0
  }
  if (!last.compared) {
    line(`${name}: FAILED: ${last.error}`)
    return 1
  }
  const { rows, differing, version, version_before } = last.compared
  const same = version === version_before
  const found = differing === 0 ? 'none differed' : `${count(differing)} ${same ? 'DIFFERED and are mended' : 'differ'}`
  line(
    `${name}: ${count(rows)} rows made anew, ${found}${same ? '' : `; version ${version}, before ${version_before}`}`,
  )
  return same && differing > 0 ? 1 : 0
}
