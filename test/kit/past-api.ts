import { encodePosition, mergePositions, parsePosition } from '../../src/kernel/position.ts'
import { call, type Page, pushBatch, type Target } from './api.ts'
import { type ConflictPage, reopen, resolve, setPolicy } from './conflicts.ts'
import { jobEnd, pushFile } from './forms.ts'
import { makeJob } from './pulls.ts'
import type { Random } from './random.ts'

const DATASETS = ['orders', 'stock', 'Ä/b']
const POLICIES = ['manual', 'field_merge', 'source_wins', null]

/** What has happened to a service, and where it is. */
export interface Life {
  readonly jobs: string[]
  readonly conflicts: Set<string>
  /** A place that includes all of it. */
  position: string
}

export function newLife(): Life {
  return { jobs: [], conflicts: new Set(), position: '' }
}

/** Both positions' events; '' is none. */
export function both(a: string, b: string): string {
  if (a === '' || b === '') return a + b
  return encodePosition(mergePositions(parsePosition(a, 'a'), parsePosition(b, 'b')))
}

const STEPS = { push, remove, stale, set, decide, job, command, file }

/** Does something, waits until it is done, and moves the life's position there. */
export async function live(target: Target, life: Life, random: Random): Promise<void> {
  const step = random.pick(Object.values(STEPS))
  const position = await step(target, life, random)
  if (position !== undefined) life.position = both(life.position, position)
  // So that time goes on in what is not named by the step's position.
  const { body } = await pushBatch(target, 'ticks', [{ id: 't', data: { n: random.int(1e9) } }])
  life.position = both(life.position, body.position)
  const path = `/conflicts?limit=1000&min_position=${life.position}`
  for (const { id } of (await call<ConflictPage>(target, path)).body.items) life.conflicts.add(id)
}

const records = (random: Random, more: () => object) =>
  Array.from({ length: 1 + random.int(6) }, () => ({
    id: `r${random.int(9)}`,
    data: { a: random.int(3), b: random.int(3) },
    ...more(),
  }))

async function push(target: Target, _: Life, random: Random): Promise<string> {
  return (
    await pushBatch(
      target,
      random.pick(DATASETS),
      records(random, () => ({})),
    )
  ).body.position
}

async function remove(target: Target, _: Life, random: Random): Promise<string> {
  const more = () => (random.chance(0.6) ? { op: 'delete', data: undefined } : {})
  return (await pushBatch(target, random.pick(DATASETS), records(random, more))).body.position
}

async function stale(target: Target, _: Life, random: Random): Promise<string> {
  const more = () => ({ metadata: { version: 1 + random.int(3) } })
  return (await pushBatch(target, random.pick(DATASETS), records(random, more))).body.position
}

async function set(target: Target, _: Life, random: Random): Promise<string | undefined> {
  const dataset = encodeURIComponent(random.pick([...DATASETS, 'only set']))
  const name = random.pick([null, `title ${random.int(3)}`])
  const more = { name, category: random.pick([null, 'trade', 'test']) }
  const answer = await setPolicy(target, dataset, random.pick(POLICIES), more)
  return (answer.body as unknown as { position?: string }).position
}

async function decide(target: Target, { conflicts }: Life, random: Random): Promise<string | undefined> {
  if (conflicts.size === 0) return undefined
  const id = random.pick([...conflicts])
  const body = { resolution: random.pick(['accept_incoming', 'keep_current']) }
  const { status, body: decided } = random.chance(0.6) ? await resolve(target, id, body) : await reopen(target, id)
  return status === 200 ? decided.position : undefined
}

async function job(target: Target, { jobs }: Life, random: Random): Promise<string> {
  const config = { base_url: 'http://127.0.0.1:9', endpoints: [{ path: '/rows' }] }
  const made = await makeJob(target, { name: `job ${random.int(9)}`, connector: { type: 'rest_api', config } })
  jobs.push(made.id)
  return made.position
}

/** Where what the jobs are shown from is: it includes a job's end, which is answered without a position. */
async function jobsAt(target: Target): Promise<string> {
  const { body } = await call<{ items: { name: string; position: string }[] }>(target, '/projections')
  return body.items.find(({ name }) => name === 'jobs')!.position
}

/** Where it may not connect to, so each run fails. */
async function command(target: Target, { jobs }: Life, random: Random): Promise<string | undefined> {
  if (jobs.length === 0) return undefined
  const id = random.pick(jobs)
  if (random.chance(0.2)) {
    await call(target, `/jobs/${id}`, { method: 'DELETE' })
    return jobsAt(target)
  }
  // One that is deleted, or has imported its file, is not started again.
  const { status } = await call(target, `/jobs/${id}/start`, { method: 'POST' })
  if (status !== 202) return undefined
  return (await jobEnd(target, id)).position
}

async function file(target: Target, { jobs }: Life, random: Random): Promise<string> {
  const rows = Array.from({ length: 1 + random.int(5) }, () => `r${random.int(9)},${random.int(3)}`)
  const { body } = await pushFile(target, `id,a\n${rows.join('\n')}\n`, {
    filename: 'rows.csv',
    options: { dataset: random.pick(DATASETS), id_column: 'id' },
  })
  jobs.push(body.job_id)
  return (await jobEnd(target, body.job_id)).position
}

/** What every read with a past answers, by its path: at a place, or at a moment. */
export async function readAll(target: Target, life: Life, query: string): Promise<Map<string, string>> {
  const read = async (path: string): Promise<[string, string]> => {
    const { status, text } = await call(target, `${path}${path.includes('?') ? '&' : '?'}${query}`)
    return [path, `${status} ${status === 404 ? '' : text}`]
  }
  const names = [...DATASETS, 'only set', 'ticks'].map(encodeURIComponent)
  const paths = [
    '/datasets',
    '/datasets?category=trade',
    '/datasets?search=title',
    ...names.map(name => `/datasets/${name}`),
    '/datasets/title%201',
    ...names.map(name => `/datasets/${name}/records?limit=10000`),
    ...names.map(name => `/datasets/${name}/records?limit=3&where=a%3D1`),
    ...[0, 1, 2].map(n => `/datasets/orders/records/r${n}`),
    '/jobs',
    '/jobs?status=failed',
    '/jobs?per_page=2&page=2',
    ...life.jobs.flatMap(id => [`/jobs/${id}`, `/jobs/${id}/runs`, `/jobs/${id}/logs?level=debug&limit=1000`]),
    '/conflicts?limit=1000',
    '/conflicts?status=open',
    '/conflicts?dataset=orders&limit=2',
    ...[...life.conflicts].map(id => `/conflicts/${id}`),
  ]
  const answers = new Map<string, string>()
  for (const path of paths) answers.set(...(await read(path)))
  return answers
}

/** Every record of a page, as its cursor goes on. */
export async function recordsAsOf(
  target: Target,
  dataset: string,
  asOf: string,
  limit: number,
): Promise<Page['items']> {
  const items: Page['items'] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const more: string = cursor === '' ? '' : `&cursor=${cursor}`
    const path = `/datasets/${dataset}/records?limit=${limit}&as_of=${asOf}${more}`
    const { status, body, text } = await call<Page>(target, path)
    if (status !== 200) throw new Error(`${status} ${text}`)
    items.push(...body.items)
    cursor = body.next_cursor
  }
  return items
}
