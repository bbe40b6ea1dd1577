import { createHmac } from 'node:crypto'
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, type JSONWebKeySet, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, credentialsOf, type Problem, type TokenAnswer, tokenFor } from '../kit/api.ts'
import { until } from '../kit/processes.ts'
import { removeData, type Service, startService } from '../kit/service.ts'

const FORM = { 'content-type': 'application/x-www-form-urlencoded' }
const SCOPES = 'sync:read sync:write sync:admin'

let service: Service
beforeAll(async () => {
  service = await startService()
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

function token(body: object | string, headers: Record<string, string> = {}) {
  return call<TokenAnswer & Problem>(service, '/auth/token', { as: null, body, headers })
}

function refresh(refresh_token: string) {
  const body = { grant_type: 'refresh_token', refresh_token }
  return call<TokenAnswer & Problem>(service, '/auth/refresh', { as: null, body })
}

/** The status of a read with this token. */
async function statusAs(as: string): Promise<number> {
  return (await call(service, '/datasets', { as })).status
}

function basic(id: string, secret: string): string {
  return `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`
}

describe('POST /auth/token', () => {
  it('answers JSON as documented, with just the scopes that were asked for', async () => {
    const body = { grant_type: 'client_credentials', ...credentialsOf(service), scope: 'sync:read sync:write' }
    const answer = await token(body)
    expect(answer.status).toBe(200)
    expect(Object.keys(answer.body)).toEqual(['access_token', 'token_type', 'expires_in', 'refresh_token', 'scope'])
    expect(answer.body).toMatchObject({ token_type: 'Bearer', expires_in: 3600, scope: 'sync:read sync:write' })
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(await statusAs(answer.body.access_token)).toBe(200)
  })

  it('takes a form, passing over fields it does not know, and HTTP Basic', async () => {
    const { client_id, client_secret } = credentialsOf(service)
    const form = new URLSearchParams({ grant_type: 'client_credentials', client_id, client_secret, audience: 'x' })
    expect((await token(form.toString(), FORM)).body.scope).toBe(SCOPES)
    const withBasic = { ...FORM, authorization: basic(client_id, client_secret) }
    const answer = await token('grant_type=client_credentials&scope=sync%3Aread', withBasic)
    expect([answer.status, answer.body.scope]).toEqual([200, 'sync:read'])
    expect(await statusAs(answer.body.access_token)).toBe(200)
  })

  it.each([
    ['a wrong secret', { client_secret: 'wrong' }],
    ['a wrong id', { client_id: 'cli_nobody' }],
    ['no secret', { client_secret: undefined }],
    ['an empty secret', { client_secret: '' }],
  ])('refuses %s with 401 and invalid_client', async (_name, wrong) => {
    const answer = await token({ grant_type: 'client_credentials', ...credentialsOf(service), ...wrong })
    expect(answer.status).toBe(401)
    expect(answer.body.error).toMatchObject({ code: 'UNAUTHORIZED', error: 'invalid_client' })
    expect(answer.body.error.request_id).toBe(answer.headers.get('x-request-id'))
    expect(answer.text).not.toContain(credentialsOf(service).client_secret)
  })

  it.each([
    ['an unknown scope', { scope: 'sync:read sync:everything' }, 'invalid_scope', 'sync:everything'],
    ['another grant type', { grant_type: 'password' }, 'unsupported_grant_type', 'password'],
    ['no grant type', { grant_type: undefined }, 'invalid_request', 'grant_type'],
    ['a number as scope', { scope: 7 }, 'invalid_request', 'scope'],
  ])('refuses %s with 400', async (_name, wrong, error, named) => {
    const answer = await token({ grant_type: 'client_credentials', ...credentialsOf(service), ...wrong })
    expect(answer.status).toBe(400)
    expect(answer.body.error).toMatchObject({ code: 'VALIDATION_ERROR', error })
    expect(answer.body.error.message).toContain(named)
  })

  it('refuses credentials that come twice, another content type and a broken body', async () => {
    const { client_id, client_secret } = credentialsOf(service)
    const body = { grant_type: 'client_credentials', client_id, client_secret }
    const twice = await token(body, { authorization: basic(client_id, client_secret) })
    expect([twice.status, twice.body.error.error]).toEqual([400, 'invalid_request'])
    const json = { 'content-type': 'application/json' }
    for (const field of ['audience', '__proto__']) {
      const unknown = await token(`{"grant_type":"client_credentials","${field}":{"scope":"sync:admin"}}`, json)
      expect([unknown.status, unknown.body.error.details[0]!.field]).toEqual([400, field])
    }
    expect((await token('a=b', { 'content-type': 'text/plain' })).status).toBe(415)
    expect((await token('{"grant_type":', json)).status).toBe(400)
    expect((await token('', json)).status).toBe(400)
  })
})

describe('POST /auth/refresh', () => {
  it('rotates: the new tokens work, with the scopes of the old ones', async () => {
    const first = await tokenFor(service, 'sync:read')
    const second = await refresh(first.refresh_token)
    expect(second.status).toBe(200)
    expect(Object.keys(second.body)).toEqual(Object.keys(first))
    expect(second.body.scope).toBe('sync:read')
    expect(second.body.refresh_token).not.toBe(first.refresh_token)
    expect(await statusAs(second.body.access_token)).toBe(200)
    expect((await refresh(second.body.refresh_token)).status).toBe(200)
  })

  it('works at /auth/token too, where stock clients send it, and as a form', async () => {
    const { refresh_token } = await tokenFor(service)
    const form = new URLSearchParams({ grant_type: 'refresh_token', refresh_token }).toString()
    expect((await token(form, FORM)).status).toBe(200)
  })

  it('ends the whole family, access tokens included, when a spent token comes back', async () => {
    const [first, other] = [await tokenFor(service), await tokenFor(service)]
    const { body: second } = await refresh(first.refresh_token)
    const reused = await refresh(first.refresh_token)
    expect(reused.status).toBe(401)
    expect(reused.body.error).toMatchObject({ code: 'UNAUTHORIZED', error: 'invalid_grant' })
    expect((await refresh(second.refresh_token)).status).toBe(401)
    expect(await statusAs(first.access_token)).toBe(401)
    expect(await statusAs(second.access_token)).toBe(401)
    expect(await statusAs(other.access_token)).toBe(200)
  })

  it('lets exactly one of two win that come at once', async () => {
    for (let round = 0; round < 5; round++) {
      const { refresh_token } = await tokenFor(service)
      const answers = await Promise.all([refresh(refresh_token), refresh(refresh_token)])
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 401])
    }
  })

  it('refuses a token that was made up, or changed', async () => {
    const { refresh_token, access_token } = await tokenFor(service)
    const [family, , mac] = refresh_token.split('.')
    for (const forged of ['garbage', `${family}.1.${mac}`, `${family}.0.`, `${refresh_token}x`, access_token]) {
      const answer = await refresh(forged)
      expect([answer.status, answer.body.error.error]).toEqual([401, 'invalid_grant'])
    }
    expect((await refresh(refresh_token)).status).toBe(200)
  })
})

describe('POST /auth/revoke', () => {
  const revoke = (body: object) => call<Problem>(service, '/auth/revoke', { as: null, body })

  it('makes an access token 401 and leaves the rest of its family', async () => {
    const { access_token, refresh_token } = await tokenFor(service)
    expect(await statusAs(access_token)).toBe(200)
    expect((await revoke({ token: access_token })).status).toBe(200)
    expect(await statusAs(access_token)).toBe(401)
    expect((await revoke({ token: access_token })).status).toBe(200)
    expect((await refresh(refresh_token)).status).toBe(200)
  })

  it('ends a refresh token with the access tokens given out by it', async () => {
    const { access_token, refresh_token } = await tokenFor(service)
    expect((await revoke({ token: refresh_token, token_type_hint: 'refresh_token' })).status).toBe(200)
    expect((await refresh(refresh_token)).status).toBe(401)
    expect(await statusAs(access_token)).toBe(401)
  })

  it('answers 200 for garbage, and 400 for no token or an unknown field', async () => {
    expect((await revoke({ token: 'garbage' })).status).toBe(200)
    expect((await revoke({ token: 'a.b.c' })).status).toBe(200)
    expect((await revoke({})).status).toBe(400)
    const unknown = await revoke({ token: 'garbage', all: true })
    expect([unknown.status, unknown.body.error.details[0]!.field]).toEqual([400, 'all'])
  })
})

describe('access tokens', () => {
  const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')

  it('verify with the published keys, by their algorithm, issuer, audience and expiry', async () => {
    const { body: jwks } = await call<JSONWebKeySet>(service, '/.well-known/jwks.json', { as: null })
    const { payload, protectedHeader } = await jwtVerify(service.token, createLocalJWKSet(jwks), {
      algorithms: ['EdDSA'],
      issuer: 'superinsight-sync',
      audience: 'superinsight-sync',
    })
    expect(protectedHeader.kid).toBe(jwks.keys[0]!.kid)
    expect(payload.exp! - payload.iat!).toBe(3600)
    expect(jwks.keys[0]).not.toHaveProperty('d')
  })

  it('are refused when they are forged or changed', async () => {
    const { body: jwks } = await call<JSONWebKeySet>(service, '/.well-known/jwks.json', { as: null })
    const publicKey = Buffer.from(jwks.keys[0]!.x!, 'base64url')
    const claims = decodeJwt(service.token)
    const header = decodeProtectedHeader(service.token)
    const [head, payload, signature] = service.token.split('.') as [string, string, string]
    const hs256 = `${encoded({ ...header, alg: 'HS256' })}.${encoded(claims)}`
    const forged = {
      HS256: `${hs256}.${createHmac('sha256', publicKey).update(hs256).digest('base64url')}`,
      none: `${encoded({ alg: 'none', typ: 'JWT' })}.${encoded(claims)}.`,
      'none with the signature': `${encoded({ ...header, alg: 'none' })}.${payload}.${signature}`,
      'another subject': `${head}.${encoded({ ...claims, sub: 'somebody' })}.${signature}`,
      'no signature': `${head}.${payload}.`,
      'another signature': `${head}.${payload}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`,
      'half of it': service.token.slice(0, service.token.length / 2),
    }
    for (const [name, as] of Object.entries(forged)) {
      const answer = await call(service, '/datasets', { as })
      expect([name, answer.status, answer.body.error?.code]).toEqual([name, 401, 'UNAUTHORIZED'])
      expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/)
    }
    expect(await statusAs(service.token)).toBe(200)
  })

  it('are refused when there is none, or in another scheme', async () => {
    expect((await call(service, '/datasets', { as: null })).status).toBe(401)
    const { client_id, client_secret } = credentialsOf(service)
    const headers = { authorization: basic(client_id, client_secret) }
    expect((await call(service, '/datasets', { as: null, headers })).status).toBe(401)
  })

  it('expire', async () => {
    const brief = await startService({ TOKEN_SECONDS: '1' })
    try {
      const expired = await until('the token to expire', async () => {
        const answer = await call(brief, '/datasets')
        return answer.status === 401 && answer
      })
      expect(expired.body.error.message).toContain('expired')
      const { access_token, refresh_token, expires_in } = await tokenFor(brief)
      expect([expires_in, access_token === brief.token]).toEqual([1, false])
      const again = { as: null, body: { grant_type: 'refresh_token', refresh_token } }
      expect((await call(brief, '/auth/refresh', again)).status).toBe(200)
    } finally {
      await brief.stop()
      removeData(brief)
    }
  })

  it('need the scope, which the refusal names', async () => {
    const reader = (await tokenFor(service, 'sync:read')).access_token
    const writer = (await tokenFor(service, 'sync:write')).access_token
    const record = { source: 'tests', records: [{ id: 'a', data: {} }] }
    const push = await call(service, '/push/batch', { as: reader, body: record })
    expect([push.status, push.body.error.code]).toEqual([403, 'FORBIDDEN'])
    expect(push.body.error.message).toContain('sync:write')
    const read = await call(service, '/datasets', { as: writer })
    expect([read.status, read.body.error.code]).toEqual([403, 'FORBIDDEN'])
    expect(read.body.error.message).toContain('sync:read')
  })
})
