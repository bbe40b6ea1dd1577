import { DomainError } from '../../../../kernel/errors.ts'
import { JsonError } from '../../../../kernel/json.ts'
import { membersOf, typeOf, unquoted } from '../../../../kernel/members.ts'
import type { Answer } from '../http/client.ts'
import type { AuthContext, AuthSession } from './auth.ts'
import { basicHeader } from './basic.ts'

/** Who asks for tokens, and where. */
interface Client {
  readonly token_url: string
  readonly client_id: string
  readonly client_secret?: string | undefined
}

export interface Tokens {
  current(): Promise<string>
  /** The token was refused. */
  drop(): void
}

/** A token is not used any more this long before it expires, or for its last tenth when that is shorter. */
const MARGIN_MS = 30_000
const MAX_TOKEN = 50_000
const MAX_ANSWER = 200_000
const EXCERPT = 200

/**
 * The tokens of one run: each is asked for once, with the form that `form` gives, and used until shortly before it
 * expires or is dropped. `onRefreshToken` is told the refresh token that came with one, and awaited before it is used.
 */
export function createTokens(
  client: Client,
  form: () => Readonly<Record<string, string>>,
  context: AuthContext,
  onRefreshToken?: (token: string) => Promise<void>,
): Tokens {
  let held: { readonly token: string; readonly until: number } | undefined
  let ask = inBody

  async function fetchToken(): Promise<NonNullable<typeof held>> {
    let answer = await ask(client, form(), context)
    // Servers need not take a client's secret from the form (RFC 6749, 2.3.1), and some do not.
    if (ask === inBody && client.client_secret !== undefined && isClientRefused(answer)) {
      const second = await inHeader(client, form(), context)
      if (second.status === 200) ask = inHeader
      if (second.status === 200 || answer.status === 401) answer = second
    }
    if (answer.status !== 200) throw refused(answer, `answered ${answer.status}`, context)
    const { access_token, refresh_token, expires_in } = fieldsOf(answer.body)
    if (!access_token || access_token.length > MAX_TOKEN || /[^\x21-\x7e]/.test(access_token))
      throw refused(answer, 'answered without an access_token that can be sent', context)
    context.hide(access_token)
    if (refresh_token) await onRefreshToken?.(refresh_token)
    const ms = Number(expires_in) * 1000
    const lives = expires_in !== undefined && Number.isFinite(ms) ? ms - Math.min(MARGIN_MS, ms / 10) : Infinity
    return { token: access_token, until: Date.now() + lives }
  }

  return {
    async current() {
      if (!held || Date.now() >= held.until) held = await fetchToken()
      return held.token
    },
    drop() {
      held = undefined
    },
  }
}

/** The session that sends such tokens. */
export function bearerOf(tokens: Tokens): AuthSession {
  return {
    credentials: async () => ({ headers: { authorization: `Bearer ${await tokens.current()}` }, params: {} }),
    renew: tokens.drop,
  }
}

function inBody(
  { token_url, client_id, client_secret }: Client,
  form: Readonly<Record<string, string>>,
  { post }: AuthContext,
) {
  return post(token_url, { ...form, client_id, ...(client_secret === undefined ? {} : { client_secret }) })
}

function inHeader(
  { token_url, client_id, client_secret = '' }: Client,
  form: Readonly<Record<string, string>>,
  context: AuthContext,
) {
  const inForm = (text: string) => new URLSearchParams([['', text]]).toString().slice(1)
  return context.post(token_url, form, {
    authorization: basicHeader(inForm(client_id), inForm(client_secret), context.hide),
  })
}

function isClientRefused({ status, body }: Answer): boolean {
  return status === 401 || (status === 400 && fieldsOf(body).error === 'invalid_client')
}

/** The texts and numbers of an answer that is a JSON object; of any other there are none. */
function fieldsOf(body: Buffer): Record<string, string | undefined> {
  if (body.length > MAX_ANSWER) return {}
  try {
    const fields = [...membersOf(body.toString('utf8'))].map(([name, value]) => {
      const type = typeOf(value)
      return [name, type === 'string' ? unquoted(value) : type === 'number' ? value : undefined]
    })
    return Object.fromEntries(fields)
  } catch (error) {
    if (error instanceof JsonError || error instanceof SyntaxError) return {}
    throw error
  }
}

function refused({ url, body }: Answer, what: string, { scrub }: AuthContext): DomainError {
  const { error, error_description } = fieldsOf(body)
  const why = [error, error_description].filter(Boolean).join(': ').slice(0, EXCERPT)
  return new DomainError('VALIDATION_ERROR', scrub(`auth: ${url.origin}${url.pathname} ${what}${why && `: ${why}`}`))
}
