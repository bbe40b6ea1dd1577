/** Schedules as the runner keeps them, with a real decider over one log, by a clock that the test moves. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { readTopics } from '../../src/adapters.ts'
import type { Connector } from '../../src/catalog/connectors/connector.ts'
import type { JobSchedule } from '../../src/catalog/schedules/index.ts'
import type { JobCommand } from '../../src/domain/job.ts'
import { schemas } from '../../src/events/index.ts'
import { type Commands, startCommands } from '../../src/log/commands.ts'
import type { Log } from '../../src/log/log.ts'
import { openMemoryLog } from '../../src/log/memory.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { property, type Random } from '../kit/random.ts'
import { jobEvents, mortal, startTestDecider, startTestRunner } from '../kit/runner.ts'

/** A connector whose runs take as many seconds as its configuration says. */
vi.mock('../../src/catalog/connectors/index.ts', async () => {
  const { z } = await import('zod')
  const timed: Connector = {
    type: 'timed',
    summary: 'Takes its time.',
    config: z.object({ seconds: z.number() }),
    async *pull(config, _, { signal }) {
      const { seconds } = config as { seconds: number }
      await new Promise<void>(resolve => {
        if (seconds === 0 || signal.aborted) return resolve()
        const timer = setTimeout(resolve, seconds * 1000)
        signal.addEventListener('abort', () => resolve(clearTimeout(timer)))
      })
    },
  }
  return { connectors: [timed], connectorOf: (type: string) => (type === 'timed' ? timed : undefined) }
})

const NOW = Date.UTC(2026, 0, 15, 10, 30)
const SECOND = 1000
const EVERY_10: JobSchedule = { type: 'interval', seconds: 10 }

let log: Log
let commands: Commands
let stops: (() => Promise<void>)[]

async function begin(): Promise<void> {
  vi.useFakeTimers({ now: NOW })
  log = openMemoryLog()
  await log.declare(readTopics(), schemas)
  commands = await startCommands(log, createLogger('silent'))
  const decider = await startTestDecider(log)
  stops = [() => commands.stop(), () => decider.stop()]
}
async function end(): Promise<void> {
  const stopped = Promise.all(stops.toReversed().map(stop => stop()))
  await after(20 * SECOND)
  await stopped
  vi.useRealTimers()
}
beforeEach(begin)
afterEach(end)

const after = (ms: number) => vi.advanceTimersByTimeAsync(ms)
/** Does something that takes turns of the clock. */
async function done<Result>(work: Promise<Result>): Promise<Result> {
  let over = false
  const settled = work.finally(() => {
    over = true
  })
  for (let turns = 0; !over && turns < 1000; turns++) await after(turns < 10 ? 0 : 10)
  if (!over) throw new Error('it takes more than ten seconds')
  return settled
}
const send = (command: JobCommand) =>
  done(commands.send(`job/${command.data.job_id}`, command, { actor: 'cli_1', requestId: 'req_1' }))
const settings = (job_id: string, schedule: JobSchedule, seconds = 0) => ({
  ...{ job_id, name: job_id, connector_type: 'timed' },
  config: JSON.stringify({
    ...{ connector: { type: 'timed', config: { seconds } }, schedule },
    target: { dataset: 'd', source: 's', upsert: true, validate: false, transform: false },
  }),
})
const create = (job_id: string, schedule: JobSchedule, seconds?: number) =>
  send({ type: 'CreateJob', data: settings(job_id, schedule, seconds) })

async function runner(lagMs = 0) {
  const life = mortal(log, lagMs)
  const running = await done(startTestRunner(life.log))
  // It may die while it stops.
  const stop = () => (life.diedAt === undefined ? Promise.race([running.stop(), life.died]) : Promise.resolve())
  stops.push(stop)
  return {
    ...{ dieAtCommand: life.dieAtCommand, die: life.die },
    diedAt: () => life.diedAt,
    async stop() {
      stops.splice(stops.indexOf(stop), 1)
      await done(stop())
    },
  }
}

const events = () => done(jobEvents(log))
const seconds = (time: number | null) => (time === null ? null : (time - NOW) / SECOND)
/** The times that had a run, and those that had none, with the reason. */
async function times(job = 'job_1') {
  const all = (await events()).filter(({ data }) => data.job_id === job)
  return {
    runs: all.flatMap(({ type, data }) => (type === 'RunQueued' ? [seconds(data.scheduled_at)] : [])),
    skipped: all.flatMap(({ type, data }) =>
      type === 'RunSkipped' ? [`${seconds(data.scheduled_at)} ${data.reason}`] : [],
    ),
    ended: all.filter(({ type }) => type === 'RunCompleted').length,
  }
}

describe('a job with a schedule', () => {
  it('runs at its times, by itself', async () => {
    await runner()
    await create('job_1', EVERY_10)
    await create('job_2', { type: 'cron', expression: '*/1 * * * *' })
    await create('job_3', { type: 'once', at: new Date(NOW + 15 * SECOND).toISOString() })
    await after(65 * SECOND)
    expect(await times('job_1')).toEqual({ runs: [10, 20, 30, 40, 50, 60], skipped: [], ended: 6 })
    expect(await times('job_2')).toEqual({ runs: [60], skipped: [], ended: 1 })
    expect(await times('job_3')).toEqual({ runs: [15], skipped: [], ended: 1 })
  })

  it('of which a run takes longer than the time between two skips those in between', async () => {
    await runner()
    await create('job_1', EVERY_10, 25)
    await after(75 * SECOND)
    expect(await times()).toEqual({
      runs: [10, 40, 70],
      skipped: ['20 overlap', '30 overlap', '50 overlap', '60 overlap'],
      ended: 2,
    })
  })

  it('that queues what overlaps runs again at once, one at most', async () => {
    await runner()
    await create('job_1', { ...EVERY_10, overlap: 'queue' }, 23)
    await after(75 * SECOND)
    const skipped = ['20 queued', '30 overlap', '40 queued', '50 overlap', '60 queued', '70 overlap']
    expect(await times()).toEqual({ runs: [10, 20, 40], skipped, ended: 2 })
  })

  it('that is paused skips its times, and goes on with them when it is resumed', async () => {
    await runner()
    await create('job_1', EVERY_10, 5)
    await after(12 * SECOND)
    await send({ type: 'PauseJob', data: { job_id: 'job_1' } })
    await after(20 * SECOND)
    await send({ type: 'ResumeJob', data: { job_id: 'job_1' } })
    await after(20 * SECOND)
    expect(await times()).toEqual({ runs: [10, 40, 50], skipped: ['20 overlap', '30 overlap'], ended: 2 })
  })

  it.each([
    ['run_once', { runs: [10, 20, 60, 70], skipped: [], ended: 4 }],
    ['skip', { runs: [10, 20, 70], skipped: ['60 missed'], ended: 3 }],
  ] as const)('whose runner was away makes up for it as it should: %s', async (missed, expected) => {
    const first = await runner()
    await create('job_1', { ...EVERY_10, missed })
    await after(25 * SECOND)
    await first.stop()
    await after(40 * SECOND)
    await runner()
    await after(10 * SECOND)
    expect(await times()).toEqual(expected)
  })

  it.each([0, 300])('runs once when two runners hold it who see what happens after %d ms', async lagMs => {
    await runner(lagMs)
    await runner(lagMs)
    await create('job_1', EVERY_10)
    await after(NOW + 35 * SECOND - Date.now())
    expect(await times()).toEqual({ runs: [10, 20, 30], skipped: [], ended: 3 })
  })

  it.each(['before', 'after'] as const)('whose runner dies %s it has asked for a run has that run once', async when => {
    const first = await runner()
    await create('job_1', EVERY_10)
    first.dieAtCommand(when)
    await after(13 * SECOND)
    expect(first.diedAt()).toBe(NOW + 10 * SECOND)
    await runner()
    await after(10 * SECOND)
    expect(await times()).toEqual({ runs: [10, 20], skipped: [], ended: 2 })
  })

  it('that is deleted runs no more', async () => {
    await runner()
    await create('job_1', EVERY_10)
    await after(15 * SECOND)
    await send({ type: 'DeleteJob', data: { job_id: 'job_1', force: false } })
    await after(60 * SECOND)
    expect(await times()).toEqual({ runs: [10], skipped: [], ended: 1 })
  })
})

/** Runners come, go and die at random for some minutes; tells from when to when there were some. */
async function live(random: Random): Promise<[from: number, to: number][]> {
  const lives: { each: Awaited<ReturnType<typeof runner>>; from: number; stopped?: number }[] = []
  const endOf = ({ each, stopped }: (typeof lives)[number]) => each.diedAt() ?? stopped
  for (let n = 0; n < 25; n++) {
    // Never at a time of the schedule.
    await after((1 + random.int(12)) * SECOND - (Date.now() % SECOND) + SECOND / 2)
    const alive = lives.filter(life => endOf(life) === undefined)
    const what = random.pick(['start', 'stop', 'die', 'before', 'after'] as const)
    if (what === 'start' || alive.length === 0) {
      if (alive.length < 3) lives.push({ each: await runner(random.pick([0, 40, 400])), from: Date.now() })
      continue
    }
    const life = random.pick(alive)
    if (what === 'die') life.each.die()
    else if (what !== 'stop') life.each.dieAtCommand(what)
    else {
      await life.each.stop()
      life.stopped = Date.now()
    }
  }
  await after(SECOND * 0.45)
  return lives.map(life => [life.from, endOf(life) ?? Date.now()])
}

it('runners that come, go and die lose no time of a schedule and have none run twice', () =>
  property(15, async random => {
    await end()
    await begin()
    const overlap = random.pick(['skip', 'queue'] as const)
    await create('job_1', { ...EVERY_10, overlap }, random.pick([0, 0, 14]))
    const there = await live(random)
    const until = Date.now()
    const { runs, skipped } = await times()
    expect(new Set(runs).size).toBe(runs.length)
    const timeOf = (each: string) => Number(each.split(' ')[0])
    const without = skipped.filter(each => !each.endsWith('queued')).map(timeOf)
    expect(without.filter(time => runs.includes(time))).toEqual([])
    const handled = new Set([...runs, ...skipped.map(timeOf)])
    for (let time = NOW + 10 * SECOND; time <= until; time += 10 * SECOND) {
      const told = [seconds(time), there.map(life => life.map(seconds)), [...handled]]
      // Of one who dies at that very time it is open whether it has asked.
      const open = there.some(([, to]) => to === time)
      const asked = there.some(([from, to]) => from < time && time < to)
      // Nobody there: the last time before somebody came again stands for all.
      const next = Math.min(...there.map(([from]) => from).filter(from => from > time))
      const last = next < until && next - time < 10 * SECOND
      if (asked || last) expect([told, handled.has(seconds(time)!)]).toEqual([told, true])
      else if (!open) expect([told, handled.has(seconds(time)!)]).toEqual([told, false])
    }
  }))
