import { expect, it } from 'vitest'
import { endsOf } from '../../src/edge/history/range.ts'
import { positionAt, TOTAL_ORDER } from '../../src/kernel/position.ts'
import type { Log } from '../../src/log/log.ts'

/** A log that answers as it is told, each time it is asked for the end of a topic. */
function logWith(answers: Record<string, number[]>, total: boolean): Log {
  return {
    streams: (topic: string) => [{ name: `${topic}-0`, topic, partition: 0 }],
    place: ({ name }: { name: string }, offset: number) => positionAt('log', total ? TOTAL_ORDER : name, offset),
    ends: async (topic: string) => new Map([[`${topic}-0`, answers[topic]!.shift()!]]),
  } as unknown as Log
}

it('sees nothing of what is written while topics are asked one after the other, where that would overtake what came before', async () => {
  // 6 went into a, and then 7 into b, when a had been asked and b had not.
  const log = logWith({ a: [5, 6], b: [7, 9] }, true)
  expect([...(await endsOf(log, ['a', 'b']))]).toEqual([
    ['a-0', 6],
    ['b-0', 7],
  ])
})

it('takes the ends as they are where each stream has an order of its own', async () => {
  const log = logWith({ a: [5], b: [700] }, false)
  expect([...(await endsOf(log, ['a', 'b']))]).toEqual([
    ['a-0', 5],
    ['b-0', 700],
  ])
})
