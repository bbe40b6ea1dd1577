import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { runCli } from '../kit/cli.ts'

/** Something else where the service should be. */
const other = createServer((_, answer) => void answer.end('<html>It works!</html>'))
let url: string
beforeAll(async () => {
  await new Promise<void>(resolve => void other.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(other.address() as AddressInfo).port}/v1/sync`
})
afterAll(() => void other.close())

it.each([
  ['that something else answers there', ['token'], 'is not this service: 200'],
  ['that a file cannot be read', ['push', '/proc/self/mem', '--format', 'ndjson'], 'EIO'],
])('is told in one sentence: %s', async (_, args, why) => {
  const env = { ADMIN_CLIENT_ID: 'someone', ADMIN_CLIENT_SECRET: 'secret' }
  const { code, stdout, stderr } = await runCli({ url, dataDir: '/nowhere' }, args, { env })
  expect([code, stdout, stderr.split('\n')]).toEqual([
    1,
    '',
    [expect.stringMatching(new RegExp(`^superinsight-sync: .*${why}`)), ''],
  ])
})
