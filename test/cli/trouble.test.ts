import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { CLI, runCli } from '../kit/cli.ts'
import { run } from '../kit/processes.ts'

/** Something else where the service should be. */
const other = createServer((_, answer) => void answer.end('<html>It works!</html>'))
let url: string
beforeAll(async () => {
  await new Promise<void>(resolve => void other.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(other.address() as AddressInfo).port}/v1/sync`
})
afterAll(() => void other.close())

it('says in one sentence that there is no room for what it prints', async () => {
  const line = `'${process.execPath}' --disable-warning=ExperimentalWarning '${CLI}' --help > /dev/full; echo $?`
  const shell = run('bash', ['-c', line], { env: { PATH: process.env.PATH! } })
  await new Promise(resolve => shell.child.on('close', resolve))
  expect(shell.output()).toBe('superinsight-sync: ENOSPC: no space left on device, write\n1\n')
})

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
