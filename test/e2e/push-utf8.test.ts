import { afterAll, beforeAll, expect, it } from 'vitest'
import { call, type PushAnswer, readRecords } from '../kit/api.ts'
import { removeData, type Service, startService } from '../kit/service.ts'

let service: Service
beforeAll(async () => {
  service = await startService()
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

/** Pushes a text in which each `~` stands for a byte that UTF-8 does not have. */
function push(text: string) {
  const body = Buffer.from(text)
  for (let at = body.indexOf('~'); at >= 0; at = body.indexOf('~')) body[at] = 0xff
  return call<PushAnswer>(service, '/push/batch', { body, headers: { 'content-type': 'application/json' } })
}

it('a record that is not UTF-8 is refused by itself, and those beside it go in', async () => {
  const records = '[{"id":"a","data":{}},{"id":"b","data":{"t":"~"}},{"id":"c","data":{}}]'
  const { status, body } = await push(`{"dataset":"utf8","records":${records}}`)
  expect([status, body.accepted, body.errors]).toMatchObject([207, 2, [{ index: 1, code: 'INVALID_UTF8' }]])
  expect((await readRecords(service, 'utf8', body.position)).map(({ id }) => id)).toEqual(['a', 'c'])
  const alone = await push('{"dataset":"utf8","records":[{"id":"~","data":{}}]}')
  expect([alone.status, alone.body.errors]).toMatchObject([400, [{ index: 0, code: 'INVALID_UTF8' }]])
})

it.each([
  '{"dataset":"utf~","records":[{"id":"a","data":{}}]}',
  '{"records":[{"id":"a","data":{}}],"source":"~"}',
  '{"records":[{"id":"~","data":{}}],"records":[{"id":"a","data":{}}]}',
])('%s is refused whole: nobody says what was meant', async text => {
  const { status, body } = await push(text)
  expect([status, body.error?.message]).toEqual([400, 'the body is not valid UTF-8'])
})
