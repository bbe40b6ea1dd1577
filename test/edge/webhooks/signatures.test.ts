import { timingSafeEqual } from 'node:crypto'
import { Webhook as Standard } from 'standardwebhooks'
import { Webhook as Svix } from 'svix'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { checkSecret, checkSignature, deliveryId, type Scheme } from '../../../src/edge/webhooks/signatures.ts'
import { type Headers, signGithub, signSlack, signStandard, signStripe } from '../../kit/signing.ts'

vi.mock('node:crypto', async original => {
  const crypto = await original<typeof import('node:crypto')>()
  return { ...crypto, timingSafeEqual: vi.fn(crypto.timingSafeEqual) }
})
afterEach(() => void vi.mocked(timingSafeEqual).mockClear())

type Signed = Exclude<Scheme, 'none'>
const NOW = 1_750_000_000_000
const SECONDS = NOW / 1000
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const OTHER = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD'
const BODY = '{"id":"evt_1","n":9007199254740993,"text":"ä 😀"}'

function verify(scheme: Signed, secrets: string | string[], headers: Headers, body: string | Buffer = BODY, now = NOW) {
  checkSignature(scheme, [secrets].flat(), name => headers[name], Buffer.from(body), now)
}
const good = (...args: Parameters<typeof verify>) => expect(() => verify(...args)).not.toThrow()
function bad(...args: Parameters<typeof verify>): void {
  let error: unknown
  try {
    verify(...args)
  } catch (thrown) {
    error = thrown
  }
  expect(error).toMatchObject({ code: 'UNAUTHORIZED' })
  for (const secret of [args[1]].flat().filter(text => text.length > 3)) expect(String(error)).not.toContain(secret)
}

/** Each scheme as its provider signs: the secret is text for all but Standard Webhooks. */
const SCHEMES: Record<
  Signed,
  { secret: string; other: string; sign(secret: string, time?: number, body?: string): Headers }
> = {
  standard: {
    ...{ secret: SECRET, other: OTHER },
    sign: (secret, time = SECONDS, body = BODY) => signStandard(secret, 'msg_1', time, body),
  },
  github: { secret: "It's a Secret", other: 'x', sign: (secret, _, body = BODY) => signGithub(secret, 'id-1', body) },
  stripe: { secret: SECRET, other: 'x', sign: (secret, time = SECONDS, body = BODY) => signStripe(secret, time, body) },
  slack: {
    secret: '8f742231',
    other: 'x',
    sign: (secret, time = SECONDS, body = BODY) => signSlack(secret, time, body),
  },
}
const EACH = Object.entries(SCHEMES) as [Signed, (typeof SCHEMES)[Signed]][]
const TIMED = EACH.filter(([scheme]) => scheme !== 'github')

describe('what the packages sign', () => {
  const at = new Date(NOW)
  it.each([
    ['standardwebhooks', 'webhook', new Standard(SECRET).sign('msg_1', at, BODY)],
    ['svix', 'webhook', new Svix(SECRET).sign('msg_1', at, BODY)],
    ['svix', 'svix', new Svix(SECRET).sign('msg_1', at, BODY)],
  ])('%s, in headers named %s-…, is good with its secret and not with another', (_, prefix, signature) => {
    const headers = {
      [`${prefix}-id`]: 'msg_1',
      [`${prefix}-timestamp`]: `${SECONDS}`,
      [`${prefix}-signature`]: signature,
    }
    good('standard', SECRET, headers)
    good('standard', SECRET.slice('whsec_'.length), headers)
    bad('standard', OTHER, headers)
    bad('standard', SECRET, headers, `${BODY} `)
    bad('standard', SECRET, { ...headers, [`${prefix}-id`]: 'msg_2' })
    bad('standard', SECRET, { ...headers, [`${prefix}-timestamp`]: `${SECONDS + 1}` })
  })

  it('with a secret that is plain text is good with that text', () => {
    const text = 'correct horse battery staple!'
    const signature = new Standard(text, { format: 'raw' }).sign('msg_1', at, BODY)
    const headers = { 'webhook-id': 'msg_1', 'webhook-timestamp': `${SECONDS}`, 'webhook-signature': signature }
    good('standard', text, headers)
    bad('standard', `${text}!`, headers)
  })

  it('and what the kit signs are the same', () => {
    const headers = signStandard(SECRET, 'msg_1', SECONDS, BODY)
    expect(headers['webhook-signature']).toBe(new Standard(SECRET).sign('msg_1', at, BODY))
    const time = Math.floor(Date.now() / 1000)
    expect(() => new Svix(SECRET).verify(BODY, signStandard(SECRET, 'msg_1', time, BODY))).not.toThrow()
  })
})

describe('what documents give as examples', () => {
  it('GitHub: "Hello, World!"', () => {
    const signature = 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17'
    good('github', "It's a Secret to Everybody", { 'x-hub-signature-256': signature }, 'Hello, World!')
    bad('github', "It's a Secret to Everybody", { 'x-hub-signature-256': signature }, 'Hello, World')
  })

  it('Slack: the slash command /weather', () => {
    const body =
      'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar' +
      '&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com' +
      '%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c'
    const headers = {
      'x-slack-request-timestamp': '1531420618',
      'x-slack-signature': 'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503',
    }
    good('slack', '8f742231b10e8888abcd99yyyzzz85a5', headers, body, 1_531_420_618_000)
  })

  it('Standard Webhooks: {"test": 2432232314}', () => {
    const headers = {
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    }
    good('standard', SECRET, headers, '{"test": 2432232314}', 1_614_265_330_000)
  })
})

describe.each(EACH)('%s', (scheme, { secret, other, sign }) => {
  it('takes its own signature over these very bytes', () => {
    good(scheme, secret, sign(secret))
    good(scheme, secret, sign(secret, SECONDS, ''), '')
    bad(scheme, secret, sign(secret), BODY.replace('9007199254740993', '9007199254740992'))
    bad(scheme, secret, sign(secret), `${BODY}\n`)
    bad(scheme, secret, sign(other))
    bad(scheme, [], sign(secret))
  })

  it('takes either of two live secrets', () => {
    for (const each of [secret, other]) good(scheme, [secret, other], sign(each))
    bad(scheme, [secret, other], sign('whsec_bm9uZSBvZiB0aGVt'))
  })

  it('refuses what is missing, empty or no signature, and names the header', () => {
    const headers = sign(secret)
    for (const name of Object.keys(headers).filter(header => header !== 'x-github-delivery')) {
      const { [name]: _, ...without } = headers
      expect(() => verify(scheme, secret, without)).toThrow(`the header ${name} is missing`)
      expect(() => verify(scheme, secret, { ...headers, [name]: '' })).toThrow(`the header ${name} is missing`)
    }
    const name = Object.keys(headers).find(header => header.includes('signature'))!
    for (const wrong of ['x', 'v1,', 'v1', 'sha256=', 'v0=', `t=${SECONDS}`, `t=${SECONDS},v1=`]) {
      bad(scheme, secret, { ...headers, [name]: wrong })
    }
    const MAC = /[0-9a-f]{64}|[\w+/]{43}=/
    for (const change of [(mac: string) => mac.slice(0, -2), (mac: string) => `${mac}00`, () => '']) {
      bad(scheme, secret, { ...headers, [name]: headers[name]!.replace(MAC, change) })
    }
  })

  it('decides by a comparison in constant time, of all secrets and signatures, and by nothing else', () => {
    const compare = vi.mocked(timingSafeEqual)
    good(scheme, [secret, other], sign(secret))
    expect(compare.mock.calls.length).toBeGreaterThanOrEqual(2)
    for (const [a, b] of compare.mock.calls) expect([a.byteLength, b.byteLength]).toEqual([32, 32])
    compare.mockClear()
    good(scheme, [other, secret], sign(secret))
    const before = compare.mock.calls.length
    compare.mockClear()
    bad(scheme, [other, secret], sign('whsec_bm9uZSBvZiB0aGVt'))
    expect(compare).toHaveBeenCalledTimes(before)
    compare.mockReturnValue(false)
    bad(scheme, secret, sign(secret))
    compare.mockReset()
    compare.mockImplementation((a, b) => Buffer.from(a as Buffer).equals(b as Buffer))
  })
})

describe.each(TIMED)('the time of %s', (scheme, { secret, sign }) => {
  it.each([-300, -299, 0, 299, 300])('may be %i s off', seconds =>
    good(scheme, secret, sign(secret, SECONDS + seconds)),
  )
  it.each([-301, -3600, 301, 1_000_000])('may not be %i s off', seconds => {
    expect(() => verify(scheme, secret, sign(secret, SECONDS + seconds))).toThrow(/not within 300 s/)
  })
  it.each(['soon', '-1', '1e9', `${SECONDS}.5`, `0x${SECONDS.toString(16)}`, '9'.repeat(13), '٣', ' '])(
    'may not be %j',
    time => {
      bad(scheme, secret, sign(secret, time as unknown as number))
    },
  )
})

describe('several signatures', () => {
  const headers = signStandard(SECRET, 'msg_1', SECONDS, BODY)
  const others = (count: number) =>
    Array.from({ length: count }, (_, n) => `v1,${Buffer.alloc(32, n).toString('base64')}`)
  const listed = (...all: string[]) => ({ ...headers, 'webhook-signature': all.join(' ') })
  const ours = headers['webhook-signature']!

  it('of Standard Webhooks: any of them may be ours; other versions are passed over', () => {
    good('standard', SECRET, listed(...others(3), ours))
    good('standard', SECRET, listed('v1a,c2lnbmF0dXJl', 'v2,x', ours))
    bad('standard', SECRET, listed(ours.replace('v1,', 'v2,')))
    bad('standard', SECRET, listed(ours.replace('v1,', '')))
    bad('standard', SECRET, listed(...others(30)))
  })

  it('a long list of them costs no more than ten', () => {
    const compare = vi.mocked(timingSafeEqual)
    bad('standard', SECRET, listed(...others(500), ours))
    expect(compare).toHaveBeenCalledTimes(10)
  })

  it('of Stripe, while a secret is being rotated', () => {
    const signed = signStripe(['new', 'old'], SECONDS, BODY)
    for (const secret of ['new', 'old']) good('stripe', secret, signed)
    bad('stripe', 'older', signed)
    const spaced = { 'stripe-signature': signed['stripe-signature']!.replaceAll(',', ', ') }
    good('stripe', 'old', spaced)
    bad('stripe', 'old', { 'stripe-signature': signed['stripe-signature']!.replaceAll('v1=', 'v0=') })
    expect(() => verify('stripe', 'old', { 'stripe-signature': 'v1=00' })).toThrow('has no t=')
  })
})

it('hex is the same in upper case', () => {
  const upper = (headers: Headers, name: string) => ({
    ...headers,
    [name]: headers[name]!.replace(/[0-9a-f]{64}/, hex => hex.toUpperCase()),
  })
  good('github', 'x', upper(signGithub('x', 'id', BODY), 'x-hub-signature-256'))
  good('slack', 'x', upper(signSlack('x', SECONDS, BODY), 'x-slack-signature'))
  good('stripe', 'x', upper(signStripe('x', SECONDS, BODY), 'stripe-signature'))
})

describe('a secret of Standard Webhooks', () => {
  const unkeyed = signStandard('', 'msg_1', SECONDS, BODY)
  it.each(['密码密码', '!!!', 'パスワード', '-', '__', '=', 'a', 'a b c'])(
    '%j is text: nobody gets in with what is left of it',
    text => {
      bad('standard', text, unkeyed)
      const raw = new Standard(Buffer.from(text), { format: 'raw' }).sign('msg_1', new Date(NOW), BODY)
      good('standard', text, { ...unkeyed, 'webhook-signature': raw })
      const left = Buffer.from(text, 'base64').toString('base64')
      bad('standard', text, signStandard(left, 'msg_1', SECONDS, BODY))
    },
  )

  it('has base64 after whsec_; of other schemes it is any text', () => {
    for (const fine of [SECRET, 'whsec_YQ', 'whsec_YQ==', 'whsec_+/+/', 'plain text', 'whsec'])
      checkSecret('standard', fine)
    for (const wrong of ['whsec_', 'whsec_!', 'whsec_a', 'whsec_YQ=', 'whsec_密码', 'whsec_-_-_', 'whsec_ YQ==']) {
      expect(() => checkSecret('standard', wrong)).toThrow('signature.secret: expected base64 after whsec_')
      for (const scheme of ['github', 'stripe', 'slack'] as const) checkSecret(scheme, wrong)
    }
  })
})

describe('what a delivery is known by', () => {
  const NAMES = ['webhook-id', 'svix-id', 'x-github-delivery', 'idempotency-key', 'x-request-id']
  const header = (name: string) => (NAMES.includes(name) ? `of ${name}` : undefined)
  const field = (pointer: string) => `at ${pointer}`
  it.each([
    ['standard', 'of webhook-id'],
    ['none', 'of webhook-id'],
    ['github', 'of x-github-delivery'],
    ['stripe', 'at /id'],
    ['slack', 'at /event_id'],
  ] as const)('%s: %s', (scheme, known) => {
    expect(deliveryId(scheme, header, field)).toBe(known)
    expect(
      deliveryId(
        scheme,
        () => undefined,
        () => undefined,
      ),
    ).toBeUndefined()
    expect(
      deliveryId(
        scheme,
        () => '',
        () => '',
      ),
    ).toBeUndefined()
  })

  it('Svix sends its own names', () => {
    expect(deliveryId('standard', name => (name === 'svix-id' ? 'msg_1' : undefined), field)).toBe('msg_1')
  })
})
