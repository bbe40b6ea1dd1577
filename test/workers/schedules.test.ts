import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { JobSchedule } from '../../src/catalog/schedules/index.ts'
import { DomainError, type ErrorCode } from '../../src/kernel/errors.ts'
import { scheduledRunId } from '../../src/workers/schedules.ts'
import { NOW, scheduledJobs } from '../kit/scheduled-jobs.ts'

const [SECOND, MINUTE, HOUR, DAY] = [1000, 60_000, 3_600_000, 86_400_000]

let world: ReturnType<typeof scheduledJobs>
let asked: string[]
let past: ReturnType<typeof scheduledJobs>['past']
beforeEach(() => {
  vi.useFakeTimers({ now: NOW })
  world = scheduledJobs()
  ;({ asked, past } = world)
})
afterEach(async () => {
  await world.stop()
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})

const { hold, create, update, complete } = {
  hold: (lagMs?: number) => world.hold(lagMs),
  create: (id: string, schedule?: JobSchedule) => world.create(id, schedule),
  update: (id: string, schedule?: JobSchedule) => world.update(id, schedule),
  complete: (id: string) => world.complete(id),
}
const after = (ms: number) => vi.advanceTimersByTimeAsync(ms)

const EVERY_10: JobSchedule = { type: 'interval', seconds: 10 }

describe('while somebody holds a job', () => {
  it('its run is asked for at each of its times, under an id that follows from the time', async () => {
    hold()
    await create('job_1', EVERY_10)
    await after(9999)
    expect(asked).toEqual([])
    for (const second of [10, 20, 30]) {
      await after(second === 10 ? 1 : 10 * SECOND)
      expect(asked.at(-1)).toBe(`${second} ScheduleRun ${second}`)
      const run_id = scheduledRunId('job_1', NOW + second * SECOND)
      expect(past.at(-1)).toMatchObject({ type: 'RunQueued', data: { run_id, trigger: 'schedule', by: 'schedule' } })
      await complete('job_1')
    }
    expect(asked).toHaveLength(3)
    expect(scheduledRunId('job_1', NOW)).not.toBe(scheduledRunId('job_2', NOW))
  })

  it('each job goes by its own schedule, and one without goes by none', async () => {
    await create('job_0')
    await create('job_1', { type: 'manual' })
    hold()
    await create('job_2', { type: 'cron', expression: '32 10 * * *' })
    await create('job_3', { type: 'once', at: '2026-01-15T11:31:00+01:00' })
    await after(DAY)
    expect(asked).toEqual(['60 ScheduleRun 60', '120 ScheduleRun 120'])
    expect(past.filter(({ type }) => type === 'RunQueued').map(({ data }) => data.job_id)).toEqual(['job_3', 'job_2'])
  })

  it('times that come while a run is under way are asked about too: the job decides', async () => {
    hold()
    await create('job_1', { ...EVERY_10, overlap: 'queue' })
    await after(30 * SECOND)
    expect(past.slice(1).map(({ type, data }) => [type, 'reason' in data ? data.reason : null])).toEqual([
      ['RunQueued', null],
      ['RunSkipped', 'queued'],
      ['RunSkipped', 'overlap'],
    ])
    await complete('job_1')
    expect(past.at(-1)).toMatchObject({ type: 'RunQueued', data: { scheduled_at: NOW + 20 * SECOND } })
    expect(asked).toHaveLength(3)
  })

  it('a time is asked about once, also when the events that tell of it come late', async () => {
    hold(5 * SECOND)
    await create('job_1', EVERY_10)
    await after(35 * SECOND)
    expect(asked).toEqual(['10 ScheduleRun 10', '20 ScheduleRun 20', '30 ScheduleRun 30'])
  })

  it('an alarm that is farther away than timers go rings all the same, and not before', async () => {
    hold()
    await create('job_1', { type: 'once', at: new Date(NOW + 60 * DAY).toISOString() })
    await after(60 * DAY - 1)
    expect(asked).toEqual([])
    await after(1)
    expect(asked).toEqual([`${(60 * DAY) / SECOND} ScheduleRun ${(60 * DAY) / SECOND}`])
  })

  it('a deleted job has no alarm any more', async () => {
    hold()
    await create('job_1', EVERY_10)
    await world.send('job_1', { type: 'DeleteJob', data: { job_id: 'job_1', force: false } })
    expect(vi.getTimerCount()).toBe(0)
  })

  it('a schedule that was changed counts from then, one that stayed goes on', async () => {
    hold()
    await create('job_1', { type: 'interval', seconds: 60 })
    await after(90 * SECOND)
    await complete('job_1')
    // Its times are counted from when the job was made, and 10 to 90 seconds after that were none of them.
    await update('job_1', EVERY_10)
    await after(10 * SECOND)
    expect(asked).toEqual(['60 ScheduleRun 60', '100 ScheduleRun 100'])
    await complete('job_1')
    await after(5 * SECOND)
    await update('job_1', { ...EVERY_10 })
    await after(5 * SECOND)
    await complete('job_1')
    expect(asked.at(-1)).toBe('110 ScheduleRun 110')
    await update('job_1', { type: 'manual' })
    await after(HOUR)
    expect(asked).toHaveLength(3)
  })

  it('that cannot be read keeps nobody else waiting', async () => {
    hold()
    await create('job_0', { type: 'cron', expression: '* * * * *', timezone: 'Europe/Atlantis' })
    await create('job_1', EVERY_10)
    await after(10 * SECOND)
    expect(asked).toEqual(['10 ScheduleRun 10'])
  })
})

describe('times that came while nobody held the job', () => {
  async function downFor(ms: number, schedule: JobSchedule): Promise<void> {
    const holder = hold()
    await create('job_1', schedule)
    await after(10 * SECOND)
    if (asked.length > 0) await complete('job_1')
    await holder.die()
    await after(ms)
    asked.length = 0
    hold()
    await after(0)
  }

  it('have one run for all of them', async () => {
    await downFor(1005 * SECOND, EVERY_10)
    expect(asked).toEqual(['1015 ScheduleRun 1010'])
    await complete('job_1')
    await after(5 * SECOND)
    expect(asked).toEqual(['1015 ScheduleRun 1010', '1020 ScheduleRun 1020'])
  })

  it('have none when the schedule skips them, and the last of them is told of', async () => {
    await downFor(1005 * SECOND, { ...EVERY_10, missed: 'skip' })
    expect(asked).toEqual(['1015 SkipRun 1010'])
    expect(past.at(-1)).toMatchObject({
      type: 'RunSkipped',
      data: { reason: 'missed', scheduled_at: NOW + 1010 * SECOND },
    })
    await after(5 * SECOND)
    expect(asked).toEqual(['1015 SkipRun 1010', '1020 ScheduleRun 1020'])
  })

  it.each(['run_once', 'skip'] as const)('are none when none came: %s', async missed => {
    await downFor(9 * SECOND, { ...EVERY_10, missed })
    expect(asked).toEqual([])
    await after(SECOND)
    expect(asked).toEqual(['20 ScheduleRun 20'])
  })

  it.each([
    ['run_once', 'ScheduleRun'],
    ['skip', 'SkipRun'],
  ] as const)('are missed also when it comes once: %s', async (missed, type) => {
    await downFor(HOUR, { type: 'once', at: new Date(NOW + MINUTE).toISOString(), missed })
    expect(asked).toEqual([`3610 ${type} 60`])
    await after(DAY)
    expect(asked).toHaveLength(1)
  })

  it('of a job that was made meanwhile are those since then', async () => {
    await create('job_1', { type: 'interval', seconds: HOUR / SECOND })
    await after(HOUR - SECOND)
    hold()
    await after(0)
    expect(asked).toEqual([])
    await after(SECOND)
    expect(asked).toEqual(['3600 ScheduleRun 3600'])
  })
})

describe('two who hold the same job', () => {
  it('ask at each time, and one of them is refused and goes on with the next', async () => {
    hold()
    hold()
    await create('job_1', EVERY_10)
    for (let n = 0; n < 3; n++) {
      await after(10 * SECOND)
      await complete('job_1')
    }
    expect(asked.filter(each => !each.endsWith('CONFLICT'))).toEqual(
      [10, 20, 30].map(second => `${second} ScheduleRun ${second}`),
    )
    expect(past.filter(({ type }) => type === 'RunQueued')).toHaveLength(3)
  })
})

describe('what cannot be asked', () => {
  it.each<[string, () => Error]>([
    ['no decider', () => new DomainError('UNAVAILABLE', 'no decider')],
    ['a decider of another version', () => new DomainError('INTERNAL_ERROR', 'cannot be decided')],
    ['no log', () => new Error('disk full')],
  ])('because of %s is asked again, a little later each time, and is no missed one', async (_, refusal) => {
    hold()
    await create('job_1', { ...EVERY_10, missed: 'skip' })
    world.refusals.push(refusal, refusal)
    await after(9 * SECOND)
    await after(5 * SECOND)
    expect(asked.map(each => each.replace(/ [A-Z_]+$| failed$/, ''))).toEqual([
      '10 ScheduleRun 10',
      '12 ScheduleRun 10',
      '14 ScheduleRun 10',
    ])
    expect(past.at(-1)!.type).toBe('RunQueued')
  })

  it('is asked no sooner when something else becomes of the job', async () => {
    hold()
    await create('job_1', EVERY_10)
    world.refusals.push(() => new DomainError('UNAVAILABLE', 'no decider'))
    await after(10 * SECOND)
    await update('job_1', { ...EVERY_10 })
    await after(1999)
    expect(asked).toEqual(['10 ScheduleRun 10 UNAVAILABLE'])
    await after(1)
    expect(asked.at(-1)).toBe('12 ScheduleRun 10')
  })

  it.each<ErrorCode>(['CONFLICT', 'NOT_FOUND'])('because of a %s is left, for the next time', async code => {
    hold()
    await create('job_1', EVERY_10)
    world.refusals.push(() => new DomainError(code, 'no'))
    await after(19 * SECOND)
    expect(asked).toEqual([`10 ScheduleRun 10 ${code}`])
    await after(SECOND)
    expect(asked.at(-1)).toBe('20 ScheduleRun 20')
  })
})

describe('a clock that is set', () => {
  const DAILY: JobSchedule = { type: 'cron', expression: '0 12 * * *' }

  it('forward is found out, and what came meanwhile is missed', async () => {
    const { schedules } = hold()
    await create('job_1', DAILY)
    await create('job_2', { ...DAILY, missed: 'skip' })
    await after(SECOND)
    schedules.tick()
    vi.setSystemTime(NOW + 3 * HOUR)
    schedules.tick()
    await after(0)
    const noon = (1.5 * HOUR) / SECOND
    expect(asked).toEqual([`10800 ScheduleRun ${noon}`, `10800 SkipRun ${noon}`])
  })

  it('back has no time come twice', async () => {
    const { schedules } = hold()
    await create('job_1', EVERY_10)
    await after(20 * SECOND)
    schedules.tick()
    vi.setSystemTime(NOW + 5 * SECOND)
    schedules.tick()
    await after(20 * SECOND)
    expect(asked).toEqual(['10 ScheduleRun 10', '20 ScheduleRun 20'])
    await after(5 * SECOND)
    expect(asked.at(-1)).toBe('30 ScheduleRun 30')
  })

  it('by less than a second changes nothing', async () => {
    const { schedules } = hold()
    await create('job_1', EVERY_10)
    schedules.tick()
    const alarms = vi.spyOn(globalThis, 'setTimeout')
    vi.setSystemTime(NOW + 500)
    schedules.tick()
    expect(alarms).not.toHaveBeenCalled()
  })
})

it('of many jobs that come at once, few are asked about at a time, and all are', async () => {
  for (let n = 0; n < 50; n++) await create(`job_${n}`, { type: 'cron', expression: '31 10 * * *' })
  await after(MINUTE)
  hold()
  await after(0)
  expect(asked).toEqual(Array(50).fill('60 ScheduleRun 60'))
})
