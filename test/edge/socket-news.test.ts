import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createProgress } from '../../src/edge/progress.ts'
import type { Events } from '../../src/events/index.ts'
import { butForLast, positionAt } from '../../src/kernel/position.ts'
import type { Log } from '../../src/log/log.ts'
import { openMemoryLog } from '../../src/log/memory.ts'
import { changeMaker, type EdgeSockets, edgeSockets } from '../kit/edge-sockets.ts'
import { until } from '../kit/processes.ts'
import { type Listener, listen } from '../kit/sockets.ts'

let log: Log
let edge: EdgeSockets
let make: ReturnType<typeof changeMaker>
/** What the read model knows of jobs. */
let rows: { id: string; connector_type: string }[]
const open: Listener[] = []
beforeEach(async () => {
  log = openMemoryLog()
  edge = await edgeSockets(log)
  make = changeMaker(log, edge.codec)
  rows = []
  Object.assign(edge.services.store, { load: async () => rows })
})
afterEach(async () => {
  for (const listener of open.splice(0)) listener.close()
  await edge.stop()
})

async function subscribed(payload: object = {}): Promise<Listener> {
  const listener = await listen(edge.target)
  open.push(listener)
  await listener.subscribe(payload)
  return listener
}

/** What a listener was told, without the answers to what it asked. */
const told = ({ messages }: Listener) => messages.filter(({ type }) => type !== 'subscribed' && type !== 'pong')

/** Everybody has been told of all that was written so far: this comes last, and passes every filter. */
async function allTold(listeners: readonly Listener[]): Promise<void> {
  const marked = listeners.map(listener => listener.subscribe({ filters: { dataset: 'mark' } }))
  await Promise.all(marked)
  await log.append([make({ dataset: 'mark', id: 'm', change: {} })])
  await Promise.all(listeners.map(listener => listener.untilChange('m')))
}

describe('news of conflicts', () => {
  const detected = { conflict_id: 'conf_1', conflict_type: 'concurrent_field', job_id: 'job_1' }
  const resolved = { ...detected, news: 'resolved', conflict_type: '', resolution_required: false } as const
  const write = async () => {
    const about = { dataset: 'orders', id: 'o1' }
    await log.append([make({ ...about, change: {}, news: detected })])
    await log.append([make({ ...about, news: { ...resolved, resolution: 'merge' } })])
    await log.append([make({ dataset: 'stock', id: 's1', news: { ...detected, conflict_id: 'conf_2' } })])
  }
  const shown = (listener: Listener) =>
    told(listener).flatMap(({ type, payload: { table, record_id } }) =>
      table === 'mark' ? [] : `${type} ${record_id}`,
    )

  it('are told as the API has them, live and from the past, each with a place of its own', async () => {
    const filters = { dataset: 'orders' }
    const live = await subscribed({ filters })
    await write()
    await until('all of it', () => told(live).length === 3)
    const time = '2025-06-15T15:06:40.000Z'
    const [change, first, second] = told(live).map(({ position, ...rest }) => rest)
    expect(change).toMatchObject({ type: 'record_change', payload: { operation: 'create', record_id: 'o1' } })
    const ids = { conflict_id: 'conf_1', record_id: 'o1', table: 'orders' }
    const found = { conflict_type: 'concurrent_field', resolution_required: true }
    expect(first).toEqual({ type: 'conflict_detected', payload: { ...ids, ...found }, timestamp: time })
    expect(second).toEqual({ type: 'conflict_resolved', payload: { ...ids, resolution: 'merge' }, timestamp: time })
    const all = told(live)
    for (const [n, { position }] of all.entries()) {
      const again = await subscribed({ filters, since: position })
      const ofOrders = () => told(again).filter(({ payload }) => payload.table === 'orders')
      await until('the rest', () => ofOrders().length >= all.length - n - 1)
      await allTold([again])
      expect(ofOrders().map(({ payload }) => payload)).toEqual(all.slice(n + 1).map(({ payload }) => payload))
    }
  })

  it.each<[filters: object, wanted: string[]]>([
    [{ table: 'orders' }, ['record_change o1', 'conflict_detected o1', 'conflict_resolved o1']],
    [{ record_ids: ['s1'] }, ['conflict_detected s1']],
    [{ event_types: ['conflict_detected'] }, ['conflict_detected o1', 'conflict_detected s1']],
    [{ event_types: ['conflict_resolved', 'record_created'] }, ['record_change o1', 'conflict_resolved o1']],
    [{ job_id: 'job_1' }, ['conflict_detected o1', 'conflict_resolved o1', 'conflict_detected s1']],
    [{ operations: ['create'] }, ['record_change o1']],
    [{ fields: ['n'] }, ['record_change o1']],
  ])('pass the filter %j when they are to', async (filters, wanted) => {
    const live = await subscribed({ filters })
    await write()
    const late = await subscribed({ filters, since: `${log.id}~` })
    await until('all of it', () => [live, late].every(each => shown(each).length >= wanted.length))
    await allTold([live, late])
    for (const listener of [live, late]) expect(shown(listener).toSorted()).toEqual(wanted.toSorted())
  })
})

it('whoever waits for the place before the last message of an event waits for the event', async () => {
  const progress = createProgress()
  progress.advance('sync.records-0', 4)
  let reached = false
  const wait = progress.wait(positionAt('log', 'sync.records-0', butForLast(5))).then(() => {
    reached = true
  })
  await new Promise(resolve => setImmediate(resolve))
  expect(reached).toBe(false)
  progress.advance('sync.records-0', 5)
  await wait
})

describe('news of jobs', () => {
  const AT = { at: 1_750_000_000_000, by: 'cli_1', command_id: 'cmd_1' }
  async function job<Name extends keyof Events>(type: Name, id: string, more: object = {}): Promise<void> {
    const event = { ...AT, job_id: id, run_id: `run_${id}`, ...more } as unknown as Events[Name]
    await log.append([edge.codec.batch('sync.jobs', type, `job/${id}`, event)])
  }
  const configured = (id: string, connector_type: string) =>
    job('JobConfigured', id, { name: id, connector_type, config: '{}', created_at: AT.at })
  const page = (id: string, processed: number) =>
    job('RunCheckpointed', id, { number: processed, state: '{}', processed, rejected: 0, total: 100 })
  const ended = (id: string) => job('RunCompleted', id)
  const progressOf = (listener: Listener) =>
    told(listener).flatMap(({ type, payload }) =>
      type === 'sync_progress' ? `${payload.job_id} ${payload.records_processed}` : [],
    )

  it('tell the progress that comes too fast not each time, but the last one always, before the end', async () => {
    const listener = await subscribed()
    for (let n = 1; n <= 100; n++) await page('job_1', n)
    await ended('job_1')
    await listener.next('job_status')
    expect(progressOf(listener)).toEqual(['job_1 1', 'job_1 100'])
    expect(told(listener).at(-1)!.payload).toEqual({ job_id: 'job_1', status: 'completed' })
  })

  it('are of files where file_progress is asked for: those that come, and those that are known from before', async () => {
    rows = [
      { id: 'job_old_file', connector_type: 'file' },
      { id: 'job_old_pull', connector_type: 'rest_api' },
    ]
    const files = await subscribed({ filters: { event_types: ['file_progress'] } })
    const all = await subscribed({ filters: { event_types: ['sync_progress'] } })
    await configured('job_file', 'file')
    await configured('job_pull', 'rest_api')
    const ids = ['job_file', 'job_pull', 'job_old_file', 'job_old_pull', 'job_unknown']
    for (const id of ids) await page(id, 1)
    await until('all', () => progressOf(all).length === ids.length)
    await allTold([files])
    expect(progressOf(all).toSorted()).toEqual(ids.map(id => `${id} 1`).toSorted())
    expect(progressOf(files).toSorted()).toEqual(['job_file 1', 'job_old_file 1'])
    expect(told(files).map(({ type }) => type)).not.toContain('job_status')
  })
})
