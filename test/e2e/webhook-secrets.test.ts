/** Secrets of webhooks are in nothing that the service writes or says, at the most talkative level. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readTopics } from '../../src/adapters.ts'
import { call } from '../kit/api.ts'
import { readTopic } from '../kit/events.ts'
import { openLogOf } from '../kit/life.ts'
import { removeData, type Service, startService } from '../kit/service.ts'
import { secondsNow, signGithub, signStandard } from '../kit/signing.ts'
import { deliver, makeWebhook } from '../kit/webhooks.ts'

const PLAIN = 'Correct-Horse-Battery-Staple'
const CODED = Buffer.from('a secret of four and twenty bytes').toString('base64')
const SHORT = '5ecr3t!'
const NEXT = 'Another-Secret-Altogether'
/** Each secret as text, and as whoever copied it would have it. */
const SHAPES = [PLAIN, NEXT, CODED, 'a secret of four and twenty'].flatMap(secret => [
  secret,
  Buffer.from(secret).toString('base64').replace(/=+$/, ''),
  Buffer.from(secret).toString('hex'),
  encodeURIComponent(secret),
])

let service: Service
const said: string[] = []
beforeAll(async () => {
  service = await startService({ LOG_LEVEL: 'trace' })
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

async function ask(path: string, method = 'GET', body?: object | string, headers = {}): Promise<void> {
  const { text, headers: told } = await call(service, path, {
    method,
    headers,
    ...(body === undefined ? {} : { body }),
  })
  said.push(text, JSON.stringify([...told]))
}

it('what was told, logged, counted and stored holds none of them', async () => {
  const github = { name: 'g', dataset: 'd', signature: { scheme: 'github', secret: PLAIN } }
  const standard = { name: 's', dataset: 'd', signature: { scheme: 'standard', secret: `whsec_${CODED}` } }
  const [one, two] = [await makeWebhook(service, github), await makeWebhook(service, standard)]
  said.push(JSON.stringify([one, two]))
  expect((await deliver(service, one.id, '{}', signGithub(PLAIN, 'd1', '{}'))).status).toBe(200)
  expect((await deliver(service, two.id, '{}', signStandard(CODED, 'm1', secondsNow(), '{}'))).status).toBe(200)
  for (const headers of [{}, signGithub('wrong', 'd2', '{}'), { 'x-hub-signature-256': PLAIN }]) {
    const refused = await deliver(service, one.id, '{}', headers)
    expect(refused.status).toBe(401)
    said.push(refused.text)
  }
  await ask(`/webhooks/${one.id}`)
  await ask('/webhooks')
  await ask(`/webhooks/${one.id}`, 'PUT', { ...github, signature: { scheme: 'github', secret: [PLAIN, NEXT] } })
  await ask(`/webhooks/${two.id}`, 'PUT', { ...standard, signature: { scheme: 'github', secret: NEXT } })
  const wrong = { scheme: 'github', secret: PLAIN }
  const wholly = [
    { ...github, signature: { ...wrong, scheme: 'shopify' } },
    { ...github, signature: { ...wrong, key: NEXT } },
    { ...github, signature: { ...wrong, secret: [PLAIN, NEXT, PLAIN] } },
    { ...github, signature: { ...wrong, secret: { text: PLAIN } } },
    { ...github, signature: { ...wrong, secret: [PLAIN, '***'] } },
    { ...github, signature: { ...wrong, scheme: 'standard', secret: `whsec_${PLAIN}` } },
    { ...github, signature: PLAIN },
    { ...github, signature: { ...wrong, scheme: 'none' } },
    { ...github, schema: { type: 'thing' } },
  ]
  for (const body of wholly) await ask('/webhooks', 'POST', body)
  const json = { 'content-type': 'application/json' }
  const text = JSON.stringify(github)
  for (const at of [text.indexOf(PLAIN) + PLAIN.length + 1, text.indexOf(`"${PLAIN}`)]) {
    for (const more of ['x', '"', '\\']) await ask('/webhooks', 'POST', text.slice(0, at) + more + text.slice(at), json)
    await ask('/webhooks', 'POST', text.slice(0, at), json)
  }
  // A short one: messages that show some of a text show all of it.
  await ask('/webhooks', 'POST', `{"signature":{"secret":"${SHORT}"x`, json)
  await ask('/webhooks', 'POST', text)
  await ask(`/webhooks/${one.id}`, 'DELETE')
  await ask('/metrics')
  await ask('/rejected')
  const log = await openLogOf(service)
  const events = (await Promise.all(readTopics().map(({ name }) => readTopic(log, name)))).flat()
  expect(events.length).toBeGreaterThan(10)
  said.push(...events.map(({ key, value }) => `${key.toString('latin1')} ${value.toString('latin1')}`))
  await log.stop()
  expect(service.process.output()).toContain('"msg":"answered"')
  said.push(service.process.output())
  await service.stop()
  said.push(service.process.output())
  const files = readdirSync(service.dataDir, { recursive: true, withFileTypes: true }).filter(file => file.isFile())
  expect(files.map(({ name }) => name)).toContain('secrets.db')
  for (const { parentPath, name } of files) said.push(readFileSync(join(parentPath, name), 'latin1'))
  const told = [SHORT, ...SHAPES].filter(shape => said.some(each => each.includes(shape)))
  expect(told).toEqual([])
})
