import { afterAll, beforeAll, expect, it } from 'vitest'
import { readTopics } from '../../src/adapters.ts'
import { readConfig } from '../../src/config.ts'
import { schemas } from '../../src/events/index.ts'
import { createIntake, type IntakeOptions } from '../../src/intake/intake.ts'
import { createRules, type Rules } from '../../src/intake/rules.ts'
import { offsetIn, type Position, positionAt } from '../../src/kernel/position.ts'
import { rowLimits } from '../../src/limits.ts'
import { createCodec } from '../../src/log/codec.ts'
import type { Log } from '../../src/log/log.ts'
import { openMemoryLog } from '../../src/log/memory.ts'

const log = openMemoryLog()
beforeAll(() => log.declare(readTopics(), schemas))
afterAll(() => log.stop())

const config = readConfig({})
const rules = createRules(new Map(), rowLimits(config), { get: async () => undefined })

/** Takes rows in; each append is durable when it is said to be. */
function open(options: Partial<IntakeOptions> & { log: Log }) {
  const intake = createIntake({
    ...{ codec: createCodec(log), requestId: 'req_1', actor: 'cli_1', source: 's', dataset: 'd', upsert: true, rules },
    ...{ maxDepth: config.jsonDepth, maxRecordBytes: config.lineBytes, numbering: 'line', validate: false },
    ...{ grow: async () => undefined, transform: false, onTaken: () => undefined, complete: position => position },
    ...options,
  })
  return { add: (id: string) => intake.add({ id, data: `"${id}"` }, 1, () => Buffer.from('{}')), intake }
}

it('each flush tells what it has brought, also when others have become durable with it', async () => {
  const appends: PromiseWithResolvers<Position>[] = []
  const { intake, add } = open({
    log,
    append() {
      appends.push(Promise.withResolvers())
      return appends.at(-1)!.promise
    },
  })
  add('1')
  add('2')
  const first = intake.flush()!
  for (const id of ['3', '4', '5']) add(id)
  intake.refuse({ code: 'INVALID_JSON', field: null, message: 'no' }, 6, Buffer.from('x'), 1)
  const second = intake.flush()!
  for (const [n, { resolve }] of appends.entries()) resolve(positionAt('l', 's-0', n))
  const told = await Promise.all([first, second])
  expect(told.map(({ accepted, rejected }) => [accepted, rejected])).toEqual([
    [2, 0],
    [5, 1],
  ])
  expect(told.map(({ position }) => offsetIn(position!, 's-0'))).toEqual([0, 1])
})

it('a flush of rows that a filter leaves out counts them after those before it', async () => {
  const { promise, resolve } = Promise.withResolvers<Position>()
  const left = {
    apply: (json: string) => (json === '"out"' ? { dropped: true } : { json }),
    takeGrowth: () => undefined,
  }
  const begin = () => left as unknown as ReturnType<Rules['begin']>
  const { intake, add } = open({ log: { ...log, append: () => promise }, rules: { ...rules, begin } })
  add('out')
  expect(intake.flush()).toBeUndefined()
  expect(intake.tally.accepted).toBe(1)
  add('1')
  const first = intake.flush()!
  add('out')
  const second = intake.flush()!
  resolve(positionAt('l', 's-0', 7))
  expect((await Promise.all([first, second])).map(({ accepted }) => accepted)).toEqual([2, 3])
})
