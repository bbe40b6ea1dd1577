import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createConflation } from '../../src/edge/socket/conflate.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function started() {
  const sent: string[] = []
  const conflation = createConflation<string>(250, async news => void sent.push(news))
  return { sent, ...conflation }
}

it('the first goes out at once, then the newest every so often', async () => {
  const { sent, tell } = started()
  for (let n = 0; n < 10; n++) await tell('job', `${n}`)
  expect(sent).toEqual(['0'])
  await vi.advanceTimersByTimeAsync(249)
  expect(sent).toEqual(['0'])
  await tell('job', '10')
  await vi.advanceTimersByTimeAsync(1)
  expect(sent).toEqual(['0', '10'])
  await tell('job', '11')
  await tell('job', '12')
  await vi.advanceTimersByTimeAsync(250)
  expect(sent).toEqual(['0', '10', '12'])
})

it('each thing by itself; whoever was silent long enough goes out at once', async () => {
  const { sent, tell } = started()
  await tell('a', 'a0')
  await tell('b', 'b0')
  await vi.advanceTimersByTimeAsync(250)
  await tell('a', 'a1')
  expect(sent).toEqual(['a0', 'b0', 'a1'])
  expect(vi.getTimerCount()).toBe(1)
  await vi.advanceTimersByTimeAsync(250)
  expect(vi.getTimerCount()).toBe(0)
})

it('what is held back goes out before something else is told of it, and not again', async () => {
  const { sent, tell, flush } = started()
  await flush('job')
  await tell('job', '0')
  await flush('job')
  await tell('job', '1')
  await tell('job', '2')
  await flush('job')
  expect(sent).toEqual(['0', '2'])
  await vi.advanceTimersByTimeAsync(1000)
  expect(sent).toEqual(['0', '2'])
})

it('nothing goes out after the end', async () => {
  const { sent, tell, stop } = started()
  await tell('job', '0')
  await tell('job', '1')
  stop()
  await vi.advanceTimersByTimeAsync(1000)
  expect(sent).toEqual(['0'])
})
