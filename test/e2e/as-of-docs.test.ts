/** docs/history.md does what it says of the past, command by command. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { run } from '../kit/processes.ts'
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
  const text = readFileSync(fileURLToPath(new URL('../../docs/history.md', import.meta.url)), 'utf8')
  const [, past] = text.split('# The state at a moment')
  const script = [...past!.matchAll(/```sh\n(.*?)```/gs)].map(([, commands]) => commands).join('\necho\n')
  const env = { ...process.env, URL: service.url, TOKEN: service.token }
  const shell = run('bash', ['-euo', 'pipefail', '-c', script], { env })
  const code = await new Promise(resolve => shell.child.on('close', resolve))
  const output = shell.output()
  expect(code, output).toBe(0)
  const answers = output
    .split(/(?<=\})(?=\{)|\n/)
    .filter(Boolean)
    .map(each => JSON.parse(each))
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
  expect(answers[0].items).toHaveLength(2)
  expect(answers[1].items).toHaveLength(1)
})
