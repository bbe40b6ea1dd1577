import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pushBatch, tokenFor } from '../kit/api.ts'
import { browserMissing, startBrowser } from '../kit/browser.ts'
import { available } from '../kit/faults.ts'
import { freePort, until } from '../kit/processes.ts'
import { removeData, type Service, startService } from '../kit/service.ts'

const CLIENT = fileURLToPath(new URL('../../client/dist/', import.meta.url))

const EVENT_SOURCE = `new EventSource(url + '/stream?dataset=source&token=' + token).onmessage = ({ data }) => {
  const { type, payload } = JSON.parse(data)
  if (type === 'subscribed') console.log('listening')
  if (type === 'record_change') console.log('told', payload.record_id)
}`
const OUR_CLIENT = `import('/client/index.js').then(async ({ connect }) => {
  const onStatus = ({ state }) => state === 'live' && console.log('listening')
  try {
    for await (const { type, payload } of connect({ url, token }).subscribe({ filters: { dataset: 'client' }, onStatus }))
      if (type === 'record_change') console.log('told', payload.record_id)
  } catch (error) {
    console.log('error', error.code)
  }
})`

describe.skipIf(!available('a browser that follows changes', browserMissing))('a browser', () => {
  let service: Service
  let browser: Browser
  const env: Record<string, string> = {}
  beforeAll(async () => {
    env.PORT = String(await freePort())
    service = await startService(env)
    browser = await startBrowser()
  })
  afterAll(async () => {
    await browser?.close()
    await service?.stop()
    removeData(service)
  })

  /** Runs a script in a page of the service's origin, which finds the client at /client/; gives what it says. */
  async function runInPage(script: string, token = service.token): Promise<string[]> {
    const page = await browser.newPage()
    const lines: string[] = []
    page.on('console', line => lines.push(line.text()))
    await page.route('**/client/*.js', route => {
      const body = readFileSync(CLIENT + new URL(route.request().url()).pathname.split('/').at(-1))
      return route.fulfill({ contentType: 'text/javascript', body })
    })
    await page.goto(`${service.url}/health/live`)
    await page.evaluate(`((url, token) => { ${script} })(${JSON.stringify(service.url)}, ${JSON.stringify(token)})`)
    await until('the page to listen', () => lines.includes('listening'))
    return lines
  }

  it.each([
    ['EventSource', 'source', EVENT_SOURCE],
    ['the client', 'client', OUR_CLIENT],
  ])('%s comes back by itself over kill -9 and a stop, and is told each change once', async (_, dataset, script) => {
    const lines = await runInPage(script)
    const told = () => lines.filter(line => line.startsWith('told '))
    const push = async (ids: readonly string[]) => {
      for (const id of ids) expect((await pushBatch(service, dataset, [{ id, data: {} }])).status).toBe(200)
    }
    await push(['a', 'b'])
    await until('two changes', () => told().length === 2)
    for (const [signal, ids] of [
      ['SIGKILL', ['c', 'd']],
      ['SIGTERM', ['e', 'f']],
    ] as const) {
      await service.stop(signal)
      service = await startService(env, { dataDir: service.dataDir })
      await push(ids)
    }
    await until('all changes', () => told().length >= 6).catch(error => {
      throw new Error(`${error.message}: ${lines.join(' | ')}`)
    })
    await push(['last'])
    await until('the last change', () => told().at(-1) === 'told last')
    expect(told()).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'last'].map(id => `told ${id}`))
  })

  it('the client says when its token is no good any more', async () => {
    const { access_token: token } = await tokenFor(service, 'sync:read')
    const lines = await runInPage(OUR_CLIENT, token)
    await fetch(`${service.url}/auth/revoke`, { method: 'POST', body: new URLSearchParams({ token }) })
    await until('the error', () => lines.includes('error 4401'))
  })
})
