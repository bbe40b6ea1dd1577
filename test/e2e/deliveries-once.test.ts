import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type Answer, call, readRecords } from '../kit/api.ts'
import { readTopic } from '../kit/events.ts'
import { openLogOf } from '../kit/life.ts'
import { type Service, startProcess, startService } from '../kit/service.ts'
import { secondsNow, signGithub, signSlack, signStandard, signStripe } from '../kit/signing.ts'
import { type Delivered, deliver, makeWebhook } from '../kit/webhooks.ts'

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'

let dataDir: string
let service: Service
beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'sync-deliveries-'))
  await start()
})
afterEach(async () => {
  await service.stop('SIGKILL')
  rmSync(dataDir, { recursive: true, force: true })
})

async function start(env: Record<string, string> = {}): Promise<void> {
  service = await startService(env, { dataDir })
}
async function restart(signal: NodeJS.Signals, env: Record<string, string> = {}): Promise<void> {
  await service.stop(signal)
  await start(env)
}

const make = (scheme: string, more: object = {}) =>
  makeWebhook(service, { signature: scheme === 'none' ? { scheme } : { scheme, secret: SECRET }, ...more })

/** How each provider sends one delivery again: the same name, signed anew at another time. */
const AGAIN: Record<string, (body: string, attempt: number) => Record<string, string>> = {
  standard: (body, attempt) => signStandard(SECRET, 'msg_1', secondsNow() + attempt, body),
  github: body => signGithub(SECRET, '72d3162e-cc78-11e3', body),
  stripe: (body, attempt) => signStripe(SECRET, secondsNow() + attempt, body),
  slack: (body, attempt) => signSlack(SECRET, secondsNow() + attempt, body),
  none: () => ({ 'webhook-id': 'msg_1' }),
}
const body = (n: number) => `{"id":"evt_1","event_id":"Ev1","n":${n}}`
const send = (id: string, scheme: string, n: number, attempt = n, key = {}) =>
  deliver(
    service,
    id,
    body(n),
    { ...AGAIN[scheme]!(body(n), attempt), ...key },
    scheme === 'none' ? service.token : null,
  )
const stored = async (dataset: string, { body }: Answer<Delivered>) =>
  (await readRecords(service, dataset, body.position)).map(({ id, data, version }) => [id, data.n, version])

/** How many events there are of a data set, whatever became of them. */
async function eventsOf(dataset: string): Promise<number> {
  const log = await openLogOf(service)
  try {
    return (await readTopic(log, 'sync.records')).filter(({ key }) => key.toString().startsWith(`${dataset}\0`)).length
  } finally {
    await log.stop()
  }
}

it.each(Object.keys(AGAIN))(
  '%s: what is delivered again is stored once and answered the same, in every later life',
  async scheme => {
    const { id } = await make(scheme, { dataset: scheme, record_id: '/id' })
    const first = await send(id, scheme, 1)
    expect([first.status, first.headers.get('idempotency-replayed')]).toEqual([200, null])
    for (const signal of [undefined, 'SIGTERM', 'SIGKILL'] as const) {
      if (signal) await restart(signal)
      // The body that came first counts, whatever comes under its name.
      for (const n of [1, 2]) {
        const again = await send(id, scheme, n, 5)
        expect([again.status, again.text, again.headers.get('idempotency-replayed')]).toEqual([200, first.text, 'true'])
      }
    }
    expect(await stored(scheme, first)).toEqual([['evt_1', 1, 1]])
    expect(await eventsOf(scheme)).toBe(1)
  },
)

it('a delivery with a key of its own is held to that key, too', async () => {
  const { id } = await make('github', { dataset: 'keyed' })
  const sendAs = (name: string, n: number) =>
    deliver(service, id, body(n), { ...signGithub(SECRET, name, body(n)), 'idempotency-key': 'k1' }, null)
  const first = await sendAs('d1', 1)
  expect(first.status).toBe(200)
  expect((await sendAs('d2', 2)).status).toBe(422)
  const again = await sendAs('d1', 1)
  expect([again.status, again.text]).toEqual([200, first.text])
  expect(await eventsOf('keyed')).toBe(1)
})

it('a signature is asked for each time, and another webhook has deliveries of its own', async () => {
  const [one, two] = [await make('standard', { dataset: 'one' }), await make('standard', { dataset: 'two' })]
  const first = await send(one.id, 'standard', 1)
  const forged = await deliver(service, one.id, body(1), { ...AGAIN.standard!(body(1), 1), 'webhook-id': 'msg_2' })
  const unsigned = await deliver(service, one.id, body(1), { 'webhook-id': 'msg_1' })
  expect([forged.status, unsigned.status]).toEqual([401, 401])
  const other = await send(two.id, 'standard', 1)
  expect([other.status, other.body.event_id === first.body.event_id]).toEqual([200, false])
  expect(await stored('two', other)).toHaveLength(1)
})

it('many attempts at once are taken once: the others are told to wait, or answered the same', async () => {
  const { id } = await make('standard', { dataset: 'at-once', record_id: '/id' })
  for (let round = 1; round <= 5; round++) {
    const text = body(round)
    const headers = signStandard(SECRET, `msg_${round}`, secondsNow(), text)
    const answers = await Promise.all(Array.from({ length: 10 }, () => deliver(service, id, text, headers)))
    const answered = answers.filter(({ status }) => status === 200)
    for (const answer of answers.filter(({ status }) => status !== 200)) {
      expect([answer.status, answer.body.error!.code]).toEqual([409, 'CONFLICT'])
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
    }
    expect(new Set(answered.map(({ text }) => text)).size).toBe(1)
    expect(await stored('at-once', answered[0]!)).toEqual([['evt_1', round, round]])
  }
  expect(await eventsOf('at-once')).toBe(5)
})

it('deliveries without a name are each their own; an Idempotency-Key gives them one, for this body', async () => {
  const { id } = await make('none', { dataset: 'unnamed' })
  const plain = (n: number, key = {}) => deliver(service, id, `{"n":${n}}`, key, service.token)
  const [first, second] = [await plain(1), await plain(1)]
  expect(first.body.event_id).not.toBe(second.body.event_id)
  const key = { 'idempotency-key': 'k' }
  const keyed = await plain(1, key)
  const again = await plain(1, key)
  expect([again.status, again.text, again.headers.get('idempotency-replayed')]).toEqual([200, keyed.text, 'true'])
  expect((await plain(2, key)).status).toBe(422)
  expect((await plain(2, { 'idempotency-key': 'two words' })).status).toBe(400)
  expect(await stored('unnamed', keyed)).toHaveLength(3)
})

it('long names that begin alike are two', async () => {
  const { id } = await make('standard', { dataset: 'long', record_id: '/id' })
  const named = (name: string, n: number) => {
    const text = `{"id":"${n}"}`
    return deliver(service, id, text, signStandard(SECRET, name, secondsNow(), text))
  }
  const name = 'x'.repeat(700)
  const answers = [await named(`${name}1`, 1), await named(`${name}2`, 2)]
  expect(answers.map(({ status }) => status)).toEqual([200, 200])
  expect(await stored('long', answers[1]!)).toHaveLength(2)
})

it('killed when it was kept and nothing was answered yet: the answer is given in the next life', async () => {
  const { id } = await make('standard', { dataset: 'killed', record_id: '/id' })
  await restart('SIGTERM', { CRASH_AT: 'keys.kept' })
  await expect(send(id, 'standard', 1)).rejects.toThrow()
  await start()
  const again = await send(id, 'standard', 2)
  expect([again.status, again.headers.get('idempotency-replayed')]).toEqual([200, 'true'])
  expect(await stored('killed', again)).toEqual([['evt_1', 1, 1]])
})

it.each(['embedded.events-written', 'embedded.committed', 'keys.written'])(
  'killed at %s: sent again it is taken, and what is stored is there once',
  async point => {
    const { id } = await make('standard', { dataset: 'killed', record_id: '/id' })
    await service.stop()
    // Without a token, whose grant would be the first append of that life.
    const doomed = await startProcess({ CRASH_AT: point }, { dataDir })
    const sent = deliver({ url: doomed.url, token: '' }, id, body(1), AGAIN.standard!(body(1), 1))
    await expect(sent).rejects.toThrow()
    await start()
    const again = await send(id, 'standard', 1)
    expect([again.status, again.headers.get('idempotency-replayed')]).toEqual([200, null])
    expect(await stored('killed', again)).toEqual([['evt_1', 1, 1]])
    const third = await send(id, 'standard', 1)
    expect([third.text, third.headers.get('idempotency-replayed')]).toEqual([again.text, 'true'])
  },
)

it('webhooks and their secrets are there after a restart, and after kill -9', async () => {
  const { id } = await make('standard', { dataset: 'lives' })
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    await restart(signal)
    const shown = await call<{ signature: object }>(service, `/webhooks/${id}`)
    expect(shown.body.signature).toEqual({ scheme: 'standard', secret: '***' })
    const text = `{"life":"${signal}"}`
    expect((await deliver(service, id, text, signStandard(SECRET, signal, secondsNow(), text))).status).toBe(200)
  }
})
