import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createPatience } from '../../src/cli/patience.ts'
import { DomainError } from '../../src/kernel/errors.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const away = new DomainError('UNAVAILABLE', 'nobody answers')

/** How long it waits with an error, for so many times; the error it gives up with. */
async function waits(patience: ReturnType<typeof createPatience>, error: Error, times: number) {
  const waited: number[] = []
  for (let n = 0; n < times; n++) {
    const before = Date.now()
    const failed = patience.wait(error).then(
      () => undefined,
      thrown => thrown as Error,
    )
    await vi.runAllTimersAsync()
    if (await failed) return { waited, gaveUp: await failed }
    waited.push(Date.now() - before)
  }
  return { waited, gaveUp: undefined }
}

it('tries less and less often, and gives up when nothing has moved for a minute', async () => {
  const told: string[] = []
  const patience = createPatience(error => told.push(error.message))
  const { waited, gaveUp } = await waits(patience, away, 100)
  expect(waited.slice(0, 7)).toEqual([250, 500, 1000, 2000, 4000, 5000, 5000])
  expect(waited.reduce((sum, ms) => sum + ms)).toBeGreaterThan(60_000)
  expect(waited.reduce((sum, ms) => sum + ms)).toBeLessThan(70_000)
  expect([gaveUp, told.length]).toEqual([away, waited.length])
  patience.moved()
  expect(await waits(patience, away, 2)).toEqual({ waited: [250, 500], gaveUp: undefined })
})

it('waits as long as it is told when it asks too often, for however long that takes', async () => {
  const fast = new DomainError('RATE_LIMITED', 'too many', { retryAfter: 40 })
  const { waited, gaveUp } = await waits(
    createPatience(() => undefined),
    fast,
    5,
  )
  expect([waited, gaveUp]).toEqual([[40_000, 40_000, 40_000, 40_000, 40_000], undefined])
})

it('has none with what will not pass, and ends when it is asked to', async () => {
  const wrong = new DomainError('VALIDATION_ERROR', 'wrong')
  expect(
    await waits(
      createPatience(() => undefined),
      wrong,
      1,
    ),
  ).toEqual({ waited: [], gaveUp: wrong })
  const conflict = new DomainError('CONFLICT', 'it runs')
  expect(
    await waits(
      createPatience(() => undefined),
      conflict,
      1,
    ),
  ).toEqual({ waited: [], gaveUp: conflict })
  expect(
    (
      await waits(
        createPatience(() => undefined, { more: ['CONFLICT'] }),
        conflict,
        1,
      )
    ).gaveUp,
  ).toBe(undefined)
  const stopped = AbortSignal.abort()
  expect(
    (
      await waits(
        createPatience(() => undefined, { signal: stopped }),
        away,
        1,
      )
    ).waited,
  ).toEqual([0])
})
