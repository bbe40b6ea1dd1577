import { DomainError } from '../kernel/errors.ts'
import { pause } from '../kernel/pause.ts'
import { type Api, createApi, linesOf } from './client.ts'
import { command } from './command.ts'
import { createPatience, type Patience } from './patience.ts'
import { count, showProgress, type Told } from './progress.ts'

const LOOK_AGAIN_MS = 500

interface Shown {
  readonly name: string
  readonly rebuild: { readonly id: string; readonly state: string; readonly progress: number | null } | null
  readonly last_rebuild: { readonly id: string } | null
}

/** As the log has it. */
interface Completed {
  readonly rows: number
  readonly differing: number
  readonly version: number
  readonly version_before: number
}
interface Failed {
  readonly error: string
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
    const all = await namesOf(api)
    const names = operands.length > 0 ? operands : all
    let code = 0
    for (const name of names) code = Math.max(code, await rebuildOne(api, name))
    return code
  },
})

/** The names of all. Rejects at once where nobody answers. */
async function namesOf(api: Api): Promise<string[]> {
  const { items } = (await (await api('/projections')).json()) as { items: Shown[] }
  return items.map(({ name }) => name)
}

async function rebuildOne(api: Api, name: string): Promise<number> {
  const path = `/projections/${encodeURIComponent(name)}`
  let told: Told = { text: `${name}: asked for` }
  const progress = showProgress(() => told)
  const patience = createPatience(error => progress.note(`${error.message}; trying again`))
  try {
    const before = await look(api, path, patience)
    const id = before.rebuild?.id ?? (await ask(api, path, patience))
    for (;;) {
      const { rebuild } = await look(api, path, patience)
      if (rebuild?.id !== id) return tell(name, await outcomeOf(api, name, id, patience), progress.line)
      told = { text: `${name}: ${rebuild.state}`, part: rebuild.progress === null ? undefined : rebuild.progress / 100 }
      await pause(LOOK_AGAIN_MS)
    }
  } finally {
    progress.stop()
  }
}

/** Asks for a rebuild; resolves with its id, or with that of one that somebody else has asked for meanwhile. */
async function ask(api: Api, path: string, patience: Patience): Promise<string> {
  try {
    const answer = (await (await api(`${path}/rebuild`, { method: 'POST' })).json()) as Shown
    return answer.rebuild!.id
  } catch (error) {
    if (!(error instanceof DomainError) || error.code !== 'CONFLICT') throw error
    const { rebuild, last_rebuild } = await look(api, path, patience)
    return (rebuild ?? last_rebuild)!.id
  }
}

/** How a projection stands. A service that is away is waited for: a rebuild goes on when it is back. */
function look(api: Api, path: string, patience: Patience): Promise<Shown> {
  return patient(patience, async () => (await (await api(path)).json()) as Shown)
}

/** How a rebuild ended, from the log: a projection shows the last one only, which may be another by now. */
function outcomeOf(api: Api, name: string, id: string, patience: Patience): Promise<Completed | Failed> {
  const query = new URLSearchParams({ topic: 'sync.projections', key: `projection/${name}` })
  query.set('type', 'RebuildCompleted,RebuildFailed')
  return patient(patience, async () => {
    for await (const line of linesOf(await api(`/events?${query}`, { headers: { accept: 'application/x-ndjson' } }))) {
      const { payload } = JSON.parse(line) as { payload: (Completed | Failed) & { rebuild_id: string } }
      if (payload.rebuild_id === id) return payload
    }
    throw new DomainError('NOT_FOUND', `${name}: the log does not say how rebuild ${id} has ended`)
  })
}

async function patient<Found>(patience: Patience, find: () => Promise<Found>): Promise<Found> {
  for (;;) {
    try {
      const found = await find()
      patience.moved()
      return found
    } catch (error) {
      await patience.wait(error)
    }
  }
}

function tell(name: string, outcome: Completed | Failed, line: (text: string) => void): number {
  if ('error' in outcome) {
    line(`${name}: FAILED: ${outcome.error}`)
    return 1
  }
  const { rows, differing, version, version_before } = outcome
  const same = version === version_before
  const found = differing === 0 ? 'none differed' : `${count(differing)} ${same ? 'DIFFERED and are mended' : 'differ'}`
  line(
    `${name}: ${count(rows)} rows made anew, ${found}${same ? '' : `; version ${version}, before ${version_before}`}`,
  )
  return same && differing > 0 ? 1 : 0
}
