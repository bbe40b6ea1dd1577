/** docs/push.md does what it says, command by command. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { run } from '../kit/processes.ts'
import { removeData, type Service, startService } from '../kit/service.ts'

const dir = mkdtempSync(join(tmpdir(), 'sync-docs-'))
let service: Service
beforeAll(async () => {
  service = await startService()
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
  rmSync(dir, { recursive: true, force: true })
})

it('the commands about schemas, refused rows and secrets', async () => {
  const text = readFileSync(fileURLToPath(new URL('../../docs/push.md', import.meta.url)), 'utf8')
  const script = [...text.matchAll(/```sh\n(.*?)```/gs)].map(([, commands]) => commands).join('\n')
  const env = { ...process.env, URL: service.url, TOKEN: service.token }
  const shell = run('bash', ['-euo', 'pipefail', '-c', script], { cwd: dir, env })
  const code = await new Promise(resolve => shell.child.on('close', resolve))
  const output = shell.output()
  expect(code, output).toBe(0)
  const answers = output
    .split(/(?<=\})(?=\{)|\n/)
    .filter(Boolean)
    .map(each => JSON.parse(each))
  expect(answers, output).toMatchObject([
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
