import { afterAll, beforeAll, expect, it } from 'vitest'
import { pushLines } from '../kit/api.ts'
import { runCli } from '../kit/cli.ts'
import { removeData, type Service, startService } from '../kit/service.ts'

let service: Service
beforeAll(async () => {
  service = await startService()
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

it('prints the changes after a position, as many as are wanted', async () => {
  const { position } = (await pushLines(service, 'dataset=watched', '{"id":"a","data":{}}')).body
  const lines = ['b', 'c', 'd'].map(id => JSON.stringify({ id, data: {} })).join('\n')
  await pushLines(service, 'dataset=watched', lines)
  const { code, stdout } = await runCli(service, ['watch', '--dataset', 'watched', '--since', position, '--count', '2'])
  const told = stdout
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))
  expect([code, told.map(({ type }) => type)]).toEqual([0, ['subscribed', 'record_change', 'record_change']])
  expect(told.slice(1).map(({ payload }) => payload.record_id)).toEqual(['b', 'c'])
})

it.each([
  [['--since', 'yesterday'], 'since: '],
  [['--count', 'two'], '--count: expected a whole number from 1, got two'],
])('is refused with exit code 2 for %j', async (args, named) => {
  const { code, stdout, stderr } = await runCli(service, ['watch', ...args])
  expect([code, stdout, stderr]).toEqual([2, '', expect.stringContaining(named)])
})
