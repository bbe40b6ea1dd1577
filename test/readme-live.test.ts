import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { pushBatch } from './kit/api.ts'
import { browserMissing, startBrowser } from './kit/browser.ts'
import { available } from './kit/faults.ts'
import { run, until } from './kit/processes.ts'
import { pythonPrograms } from './kit/python.ts'
import { marked } from './kit/readme.ts'
import { removeData, type Service, startService } from './kit/service.ts'

/** Clients that are not ours, just as the README has them. */
const root = fileURLToPath(new URL('..', import.meta.url))
const dir = mkdtempSync(join(tmpdir(), 'sync-live-'))

let service: Service
beforeAll(async () => {
  service = await startService()
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
  rmSync(dir, { recursive: true, force: true })
})

function python(): { folder: string; missing: string | undefined } {
  try {
    return { folder: pythonPrograms(), missing: undefined }
  } catch (error) {
    return { folder: '', missing: `Python 3 with venv, and PyPI, are needed: ${(error as Error).message}` }
  }
}
const { folder, missing } = python()

it.skipIf(!available("following changes with Python's websockets", missing))(
  'curl, the client, ws and websockets follow changes, as it says',
  async () => {
    for (const name of ['node_modules', 'client']) symlinkSync(join(root, name), join(dir, name))
    const { PATH } = process.env
    const env = { ...process.env, PATH: `${folder}:${PATH}`, URL: service.url, TOKEN: service.token }
    const shell = run('bash', ['-euo', 'pipefail', '-c', marked('live')], { cwd: dir, env })
    const code = await new Promise(resolve => shell.child.on('close', resolve))
    const output = shell.output()
    expect(code, output).toBe(0)
    const prices = (lines: RegExp) =>
      [...output.matchAll(lines)].map(
        ([, text]) => JSON.parse(text!).payload.changes?.price.new ?? JSON.parse(text!).type,
      )
    // Once from the receipt, and once from the first of the two.
    expect(prices(/^data: (.*)$/gm), output).toEqual(['subscribed', 2, 3, 'subscribed', 3])
    expect(prices(/^client (.*)$/gm), output).toEqual([2, 3])
    expect(prices(/^ws (.*)$/gm), output).toEqual(['subscribed', 2, 3])
    expect(prices(/^python (.*)$/gm), output).toEqual(['subscribed', 2, 3])
  },
)

it.skipIf(!available('following changes with a browser', browserMissing))(
  "a browser's WebSocket and EventSource follow changes, as it says",
  async () => {
    const push = (price: number) => pushBatch(service, 'prices', [{ id: 'p2', data: { price } }])
    const { body } = await push(1)
    await push(2)
    const browser = await startBrowser()
    try {
      const page = await browser.newPage()
      const lines: string[] = []
      page.on('console', line => lines.push(line.text()))
      await page.goto(`${service.url}/health/live`)
      const given = [service.url, service.token, body.position].map(each => JSON.stringify(each)).join(', ')
      await page.evaluate(`((url, token, position) => {${marked('browser')}})(${given})`)
      const told = (client: string, price: number) =>
        lines.filter(
          line => line.startsWith(client) && line.includes(`"changes":{"price":{"old":${price - 1},"new":${price}}}`),
        )
      for (const price of [2, 3]) {
        if (price === 3) await push(3)
        for (const client of ['WebSocket', 'EventSource'])
          await until(`${client} to be told of ${price}`, () => told(client, price).length > 0)
      }
      const changes = lines.filter(line => line.includes('record_change'))
      expect(changes.length, changes.join('\n')).toBe(4)
      const [, id, data] = /^EventSource (\S+) (.*)$/.exec(told('EventSource', 3)[0]!)!
      expect(id).toBe(JSON.parse(data!).position)
    } finally {
      await browser.close()
    }
  },
)
