/** docs/history.md does what it says of the past, command by command. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { answersOf } from '../kit/docs.ts'
import { removeData, type Service, startService } from '../kit/service.ts'

let service: Service
beforeAll(async () => {
  service = await startService()
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

it('the commands about as_of and versions', async () => {
  const answers = (await answersOf(service, 'history.md', '# The state at a moment')) as { items: unknown[] }[]
  const item = (id: string, price: number, version: number) => ({ id, data: { price }, version })
  expect(answers).toMatchObject([
    { items: [item('a', 10, 1), item('b', 20, 1)], next_cursor: null },
    { items: [item('a', 12, 2)], next_cursor: null },
    { error: { code: 'NOT_FOUND' } },
    {
      items: [
        { version: 1, operation: 'create', data: { price: 20 } },
        { version: 2, operation: 'delete', data: null },
      ],
      earliest: null,
    },
  ])
  expect(answers[0]!.items).toHaveLength(2)
  expect(answers[1]!.items).toHaveLength(1)
})
