import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, pushBatch } from '../kit/api.ts'
import { browserMissing, startBrowser } from '../kit/browser.ts'
import { available } from '../kit/faults.ts'
import { until } from '../kit/processes.ts'
import { removeData, type Service, startService, untilProjected } from '../kit/service.ts'

let service: Service
beforeAll(async () => {
  service = await startService()
  await untilProjected(service, (await pushBatch(service, 'shown', [{ id: 'a', data: {} }])).body.position)
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

const HTML = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' }

it('a browser is given a page to ask in, without a token; a program is not', async () => {
  const page = await call(service, '/graphql', { as: null, headers: HTML })
  expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
  expect(page.headers.get('content-encoding')).toBe('gzip')
  expect(page.headers.get('x-request-id')).toMatch(/^req_/)
  const plain = await call(service, '/graphql', { as: null, headers: { ...HTML, 'accept-encoding': 'identity' } })
  expect([plain.headers.get('content-encoding'), plain.text === page.text]).toEqual([null, true])
  expect((await call(service, '/graphql', { as: null, method: 'HEAD', headers: HTML })).status).toBe(200)
  const posted = await call(service, '/graphql', { as: null, headers: HTML, body: { query: '{ position }' } })
  expect(posted.status).toBe(401)
})

describe.skipIf(!available('a browser that asks in GraphiQL', browserMissing))('GraphiQL', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await startBrowser()
  })
  afterAll(() => browser?.close())

  it('asks with the token that is given it, and needs nothing from elsewhere', async () => {
    const page = await browser.newPage()
    const elsewhere: string[] = []
    const errors: string[] = []
    page.on('pageerror', error => errors.push(error.message))
    await page.route('**/*', route => {
      const url = route.request().url()
      if (url.startsWith(service.url) || /^(blob|data):/.test(url)) return route.continue()
      elsewhere.push(url)
      return route.abort()
    })
    const query = encodeURIComponent('{ datasets { nodes { dataset recordsCount } } }')
    await page.goto(`${service.url}/graphql?query=${query}`)
    await page.getByRole('button', { name: 'Headers' }).click()
    const editor = page
      .getByRole('region', { name: /Headers/ })
      .locator('.monaco-editor, .CodeMirror')
      .last()
    await editor.click()
    await page.keyboard.press('ControlOrMeta+A')
    await page.keyboard.press('Delete')
    await page.keyboard.insertText(JSON.stringify({ Authorization: `Bearer ${service.token}` }))
    await page.getByRole('button', { name: /Execute query/ }).click()
    const result = page.getByRole('region', { name: 'Result Window' })
    await until('the answer', async () => /"recordsCount":\s1/.test((await result.textContent()) ?? ''))
    expect([elsewhere, errors]).toEqual([[], []])
  })
})
