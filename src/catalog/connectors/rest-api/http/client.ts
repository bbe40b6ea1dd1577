import { isIP } from 'node:net'
import { Agent, type Dispatcher, errors, request } from 'undici'
import { DomainError } from '../../../../kernel/errors.ts'
import type { PullContext } from '../../connector.ts'
import type { Credentials } from '../auth/auth.ts'
import type { Redactor } from '../redact.ts'
import { ACCEPTED_CODINGS, decoded, readBytes } from './bytes.ts'
import { isCertificateError, MayPass } from './may-pass.ts'
import { isRedirect, redirected } from './redirect.ts'

/** A request as it is meant: what is for anyone, and what is for the source alone. */
export interface Asking {
  readonly method: 'GET' | 'POST'
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | undefined
  readonly credentials: Credentials
  /** The origin that the credentials are for. */
  readonly home: string
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** Where it came from in the end, without the parameters of the credentials. */
  readonly url: URL
  /** Of a status that is not 2xx only the beginning. */
  readonly body: Buffer
}

export interface Client {
  /**
   * Sends a request, follows redirects and reads the answer. Fails with MayPass for what another try may not meet, with
   * a DomainError for an address that may not be connected to, a redirect that may not be followed, or an answer that is
   * too large, and with the signal's reason when the run is stopped.
   */
  send(asking: Asking): Promise<Answer>
  close(): Promise<void>
}

interface ClientContext extends Pick<PullContext, 'guard' | 'signal' | 'answerBytes'> {
  readonly answerMs: number
  readonly redactor: Redactor
  /** Called before each request. */
  onCall(): void
}

const ERROR_BYTES = 65_536
const MAX_REDIRECTS = 5
/** One page is read while the one before is written; tokens come from elsewhere. */
const CONNECTIONS = 2
/** Headers that say nothing but how to answer; all others stay with the source. */
const FOR_ANYONE = ['accept', 'accept-language', 'content-type', 'user-agent']

export function createClient({ guard, signal, answerBytes, answerMs, redactor, onCall }: ClientContext): Client {
  const agent = new Agent({
    connect: { lookup: guard.lookup, timeout: answerMs },
    ...{ connections: CONNECTIONS, allowH2: false, headersTimeout: 0, bodyTimeout: 0 },
  })

  async function sendOnce(asking: Asking, until: AbortSignal): Promise<Answer | { redirect: string; status: number }> {
    const { url, method, body } = asking
    const isHome = url.origin === asking.home
    if (!isHome && body !== undefined)
      throw new DomainError(
        'VALIDATION_ERROR',
        `it leads to ${redactor.url(url)}, another origin, to which no body is sent`,
      )
    const target = isHome ? withParams(url, asking.credentials.params) : url
    const host = target.hostname.replace(/^\[(.*)\]$/, '$1')
    // Only names are looked up: an address is connected to as it stands.
    if (isIP(host) !== 0) guard.check(host, host)
    const given = isHome ? { ...asking.headers, ...asking.credentials.headers } : forAnyone(asking.headers)
    onCall()
    const response = await request(target, {
      ...{ dispatcher: agent, method, signal: until },
      headers: { 'accept-encoding': ACCEPTED_CODINGS, ...given },
      body: body ?? null,
    })
    const { statusCode: status, headers } = response
    const { location } = headers
    if (isRedirect(status) && typeof location === 'string') {
      await response.body.dump()
      return { redirect: location, status }
    }
    return { status, headers, url, body: await bodyOf(response, answerBytes) }
  }

  async function follow(asking: Asking, until: AbortSignal): Promise<Answer> {
    let hop = asking
    for (let redirects = 0; ; redirects++) {
      const answer = await sendOnce(hop, until)
      if (!('redirect' in answer)) return answer
      if (redirects === MAX_REDIRECTS)
        throw new DomainError('VALIDATION_ERROR', `it was redirected more than ${MAX_REDIRECTS} times`)
      hop = redirected(hop, answer.redirect, answer.status, redactor)
    }
  }

  return {
    async send(asking) {
      const deadline = new AbortController()
      const abort = () => deadline.abort()
      const timer = setTimeout(abort, answerMs)
      signal.addEventListener('abort', abort)
      try {
        signal.throwIfAborted()
        return await follow(asking, deadline.signal)
      } catch (error) {
        signal.throwIfAborted()
        if (deadline.signal.aborted) throw new MayPass(`no whole answer within ${answerMs / 1000} s`, false)
        throw explained(error, redactor)
      } finally {
        clearTimeout(timer)
        signal.removeEventListener('abort', abort)
      }
    },
    close: () => agent.destroy(),
  }
}

async function bodyOf({ statusCode, headers, body }: Dispatcher.ResponseData, answerBytes: number): Promise<Buffer> {
  const cut = statusCode < 200 || statusCode > 299
  const most = cut ? Math.min(ERROR_BYTES, answerBytes) : answerBytes
  const length = headers['content-length']
  const expected = typeof length === 'string' && /^\d+$/.test(length) ? Number(length) : undefined
  try {
    const bytes = await readBytes(body, most, { cut, ...(expected === undefined ? {} : { expected }) })
    const coding = headers['content-encoding'] ?? ''
    return await decoded(bytes, String(coding), most, cut)
  } finally {
    body.destroy()
  }
}

function explained(error: unknown, redactor: Redactor): unknown {
  if (error instanceof DomainError || error instanceof MayPass) return error
  if (isCertificateError(error))
    return new DomainError('VALIDATION_ERROR', `no secure connection: ${redactor.text((error as Error).message)}`)
  // An address that has several has an error for each.
  const [first = error] = error instanceof AggregateError ? error.errors : [error]
  if (first instanceof errors.HTTPParserError) return new MayPass(redactor.text(first.message))
  const { code, message } = first as NodeJS.ErrnoException
  if (typeof code !== 'string' || code === 'UND_ERR_INVALID_ARG' || code.startsWith('ERR_INVALID')) return error
  return new MayPass(redactor.text(message.includes(code) ? message : `${message} (${code})`))
}

/** An address with parameters that it does not have yet. */
function withParams(url: URL, params: Readonly<Record<string, string>>): URL {
  const target = new URL(url)
  for (const [name, value] of Object.entries(params))
    if (!target.searchParams.has(name)) target.searchParams.append(name, value)
  return target
}

function forAnyone(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => FOR_ANYONE.includes(name)))
}
