import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../config.ts'
import { DomainError, type ErrorCode } from '../kernel/errors.ts'

/** Where the service of this configuration answers. */
export function serviceUrl({ host, port }: Config): string {
  return `http://${host}:${port}/v1/sync`
}

/** What a request sends besides its token. */
export interface Sent {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array<ArrayBuffer> | string | (() => AsyncIterable<Uint8Array>)
  readonly signal?: AbortSignal
}

/**
 * Asks the service as its first client, with a token that is fetched when it is needed. Resolves with the answer when it
 * is a 2xx. Throws what the service says is wrong, and UNAVAILABLE when nobody answers.
 */
export type Api = (path: string, sent?: Sent) => Promise<Response>

export function createApi(config: Config): Api {
  let token: string | undefined
  const ask = async (path: string, { method, headers, body, signal }: Sent): Promise<Response> => {
    token ??= await fetchToken(config)
    const init = {
      headers: { ...headers, authorization: `Bearer ${token}` },
      ...(method ? { method } : {}),
      ...(signal ? { signal } : {}),
      ...(typeof body === 'function' ? { body: body(), duplex: 'half' } : body === undefined ? {} : { body }),
    }
    return fetch(`${serviceUrl(config)}${path}`, init as RequestInit).catch(error => {
      throw signal?.aborted ? error : unanswered(config, error)
    })
  }
  return async (path, sent = {}) => {
    const answer = await ask(path, sent)
    if (answer.ok) return answer
    const refusal = await refusalOf(answer)
    if (refusal.code !== 'UNAUTHORIZED') throw refusal
    // It has expired, or the service has other keys now.
    token = undefined
    const again = await ask(path, sent)
    if (again.ok) return again
    throw await refusalOf(again)
  }
}

function unanswered(config: Config, error: Error): DomainError {
  const cause = error.cause instanceof Error ? error.cause.message || (error.cause as { code?: string }).code : ''
  const why = cause ? `${error.message}, ${cause}` : error.message
  return new DomainError('UNAVAILABLE', `no service answers at ${serviceUrl(config)}: ${why}`)
}

async function refusalOf(answer: Response): Promise<DomainError> {
  const text = await answer.text()
  const retryAfter = Number(answer.headers.get('retry-after') ?? Number.NaN)
  const more = Number.isFinite(retryAfter) ? { retryAfter } : {}
  try {
    const { code, message, details } = JSON.parse(text).error
    return new DomainError(code as ErrorCode, message, { details, ...more })
  } catch {
    return new DomainError('UNAVAILABLE', `the service answered ${answer.status}: ${text.slice(0, 200)}`, more)
  }
}

/** The lines of an answer, each as soon as it is whole. Throws when the answer breaks off. */
export async function* linesOf(answer: Response): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const piece of answer.body ?? []) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split('\n')
    rest = lines.pop()!
    yield* lines.filter(line => line !== '')
  }
  if (rest !== '') yield rest
}

/** An access token for the first client, whose credentials the service keeps in DATA_DIR. */
export async function fetchToken(config: Config): Promise<string> {
  const answer = await fetch(`${serviceUrl(config)}/auth/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ grant_type: 'client_credentials', ...credentials(config) }),
  }).catch(error => {
    throw unanswered(config, error)
  })
  const body = (await answer.json().catch(() => {
    throw new DomainError('UNAVAILABLE', `what answers at ${serviceUrl(config)} is not this service: ${answer.status}`)
  })) as { access_token?: string; error?: { code: ErrorCode; message: string } }
  if (body.access_token) return body.access_token
  const retryAfter = Number(answer.headers.get('retry-after') ?? 0)
  const code = answer.status === 503 || answer.status === 429 ? 'UNAVAILABLE' : 'UNAUTHORIZED'
  throw new DomainError(code, `no token: ${body.error?.message ?? answer.status}`, retryAfter > 0 ? { retryAfter } : {})
}

function credentials({ adminClientId, adminClientSecret, dataDir }: Config): object {
  if (adminClientId && adminClientSecret) return { client_id: adminClientId, client_secret: adminClientSecret }
  const file = join(dataDir, 'credentials.json')
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new DomainError(
      'UNAUTHORIZED',
      `${file} cannot be read: ${(error as Error).message}; is DATA_DIR the service's?`,
    )
  }
}
