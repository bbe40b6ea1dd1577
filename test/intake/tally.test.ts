import { expect, it } from 'vitest'
import { readTopics } from '../../src/adapters.ts'
import { readConfig } from '../../src/config.ts'
import { schemas } from '../../src/events/index.ts'
import { createIntake } from '../../src/intake/intake.ts'
import { createRules } from '../../src/intake/rules.ts'
import { offsetIn, type Position, positionAt } from '../../src/kernel/position.ts'
import { rowLimits } from '../../src/limits.ts'
import { createCodec } from '../../src/log/codec.ts'
import { openMemoryLog } from '../../src/log/memory.ts'

it('each flush tells what it has brought, also when others have become durable with it', async () => {
  const log = openMemoryLog()
  await log.declare(readTopics(), schemas)
  const config = readConfig({})
  const appends: PromiseWithResolvers<Position>[] = []
  const intake = createIntake({
    ...{ log, codec: createCodec(log), requestId: 'req_1', actor: 'cli_1', source: 's', dataset: 'd', upsert: true },
    ...{ maxDepth: config.jsonDepth, maxRecordBytes: config.lineBytes, numbering: 'line' },
    rules: createRules(new Map(), rowLimits(config), { get: async () => undefined }),
    grow: async () => undefined,
    ...{ validate: false, transform: false, onTaken: () => undefined, complete: position => position },
    append() {
      appends.push(Promise.withResolvers())
      return appends.at(-1)!.promise
    },
  })
  const add = (id: string) => intake.add({ id, data: '{}' }, 1, () => Buffer.from('{}'))
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
  await log.stop()
})
