import { exportJWK, type JWK, SignJWT } from 'jose'
import { DomainError } from '../../kernel/errors.ts'
import { newId } from '../../log/new-id.ts'
import { type Keys, mac, sameSecret, sha256, signedBy } from './keys.ts'

const ISSUER = 'superinsight-sync'
const AUDIENCE = 'superinsight-sync'
const ALGORITHM = 'EdDSA'
const CACHED_TOKENS = 10_000
const NOT_VALID = 'the token is not valid'

/** What an access token says. */
export interface Claims {
  readonly tokenId: string
  readonly clientId: string
  readonly scopes: readonly string[]
  /** The refresh family it was given out with. */
  readonly family: string
  /** Milliseconds since 1970. */
  readonly expiresAt: number
}

export interface Tokens {
  issue(clientId: string, scopes: readonly string[], family: string): Promise<string>
  /** Checks algorithm, signature, issuer, audience and expiry (RFC 7519, 7.2). Throws UNAUTHORIZED. */
  verify(token: string): Claims
  /** A refresh token: its family and generation under a MAC, so that nobody can make one up. */
  refreshToken(family: string, generation: number): string
  /** Undefined for one that this service never gave out. */
  readRefreshToken(token: string): { family: string; generation: number } | undefined
  /** The public key set (RFC 7517). */
  jwks(): Promise<{ keys: JWK[] }>
}

export function createTokens(keys: Keys, tokenSeconds: number): Tokens {
  const verified = new Map<string, Claims>()
  const publicJwk = exportJWK(keys.verifying).then(jwk => ({
    ...jwk,
    kid: sha256(jwk.x!).slice(0, 16),
    alg: ALGORITHM,
    use: 'sig',
  }))

  function check(token: string): Claims {
    const [header, payload, signature, ...more] = token.split('.')
    if (!header || !payload || !signature || more.length > 0) throw new DomainError('UNAUTHORIZED', NOT_VALID)
    if (!signedBy(keys.verifying, `${header}.${payload}`, signature)) throw new DomainError('UNAUTHORIZED', NOT_VALID)
    // Whoever signed it is this service: what it says is well-formed.
    const { alg } = JSON.parse(Buffer.from(header, 'base64url').toString())
    const { iss, aud, exp, jti, sub, scope, fam } = JSON.parse(Buffer.from(payload, 'base64url').toString())
    if (alg !== ALGORITHM || iss !== ISSUER || aud !== AUDIENCE) throw new DomainError('UNAUTHORIZED', NOT_VALID)
    if (!(exp * 1000 > Date.now())) throw new DomainError('UNAUTHORIZED', 'the token has expired')
    return { tokenId: jti, clientId: sub, scopes: String(scope).split(' '), family: String(fam), expiresAt: exp * 1000 }
  }

  return {
    async issue(clientId, scopes, family) {
      const { kid } = await publicJwk
      return new SignJWT({ scope: scopes.join(' '), fam: family })
        .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT', kid })
        .setIssuer(ISSUER)
        .setAudience(AUDIENCE)
        .setSubject(clientId)
        .setJti(newId('tok'))
        .setIssuedAt()
        .setExpirationTime(Math.floor(Date.now() / 1000) + tokenSeconds)
        .sign(keys.signing)
    },
    verify(token) {
      const known = verified.get(token)
      if (known) {
        if (known.expiresAt > Date.now()) return known
        verified.delete(token)
      }
      const claims = check(token)
      if (verified.size >= CACHED_TOKENS) verified.delete(verified.keys().next().value!)
      verified.set(token, claims)
      return claims
    },
    refreshToken(family, generation) {
      const body = `${family}.${generation}`
      return `${body}.${mac(keys.refreshMac, body)}`
    },
    readRefreshToken(token) {
      const [family, generation, given] = token.split('.')
      if (!family || !generation || !given || token.length > 200) return undefined
      const good = sameSecret(given, mac(keys.refreshMac, `${family}.${generation}`))
      return good ? { family, generation: Number(generation) } : undefined
    },
    jwks: async () => ({ keys: [await publicJwk] }),
  }
}
