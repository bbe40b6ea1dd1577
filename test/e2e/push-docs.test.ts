/** docs/push.md does what it says, command by command. */
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

it('the commands about schemas, refused rows and secrets', async () => {
  expect(await answersOf(service, 'push.md')).toMatchObject([
    { schema_contract: 'discard_row' },
    { is_set: true, schema_contract: 'discard_row' },
    { items: [{ record_id: 'b', code: 'SCHEMA_VIOLATION', field: '/n', value: '"two"', status: 'open' }] },
    { status: 'replayed' },
    { schema: { type: 'object' } },
    { accepted: 1, rejected: 0 },
    { signature: { scheme: 'github' } },
    { received: true },
    { received: true },
  ])
})
