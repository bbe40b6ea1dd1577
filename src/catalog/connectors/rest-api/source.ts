import { DomainError } from '../../../kernel/errors.ts'
import type { PullContext } from '../connector.ts'
import type { AuthContext, Credentials } from './auth/auth.ts'
import { auths } from './auth/index.ts'
import type { RestConfig } from './config.ts'
import type { Endpoint } from './endpoint.ts'
import { type Answer, createClient } from './http/client.ts'
import { patiently } from './http/patience.ts'
import { nextAddress, withoutSecrets } from './http/redirect.ts'
import { type Page, readPage } from './page.ts'
import { createRedactor } from './redact.ts'
import { secretsOf, valueAt } from './secrets.ts'

/** A source as one run sees it: asked for a page, with whatever credentials and patience that takes. */
export interface Source {
  /** The page at a place; `past` when the source says that there are no more. Fails as `pull` does. */
  page(endpoint: Endpoint, place: unknown, options: { page: number; from: string | undefined }): Promise<Page | 'past'>
  /** An address that an answer has, as the state keeps it. */
  resolve(page: Page, address: string): string
  /** A text without secrets. */
  scrub(text: string): string
  /** Requests up to now. */
  readonly calls: number
  close(): Promise<void>
}

/** `calls`: how many requests the run has made before. */
export function openSource(config: RestConfig, context: PullContext, calls: number): Source {
  const { signal, guard, answerBytes, log } = context
  const redactor = createRedactor()
  for (const path of secretsOf(config)) redactor.add(valueAt(config, path) as string)
  const answerMs = Math.min(context.answerMs, (config.timeout ?? Number.POSITIVE_INFINITY) * 1000)
  const onCall = () => {
    if (calls === config.max_calls)
      throw new DomainError(
        'VALIDATION_ERROR',
        `the run has made ${calls} requests, which is all that max_calls allows`,
      )
    calls++
  }
  const client = createClient({ guard, signal, answerBytes, answerMs, redactor, onCall })
  const patience = { signal, log, redactor }

  const authContext: AuthContext = {
    post(address, form, headers = {}) {
      const url = new URL(address)
      const body = new URLSearchParams(form).toString()
      const asking = {
        ...{ method: 'POST' as const, url, body, home: url.origin },
        headers: { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' },
        credentials: { headers, params: {} },
      }
      return patiently(
        `auth: POST ${url.origin}${url.pathname}`,
        () => client.send(asking),
        answer => answer,
        patience,
      )
    },
    hide: redactor.add,
    scrub: redactor.text,
    async keepSecret(path, value) {
      if (context.keepSecret) return context.keepSecret(path, value)
      const metadata = { field: path.join('.') }
      log('warning', 'the source has replaced a secret of this job, and there is nowhere to keep it', metadata)
    },
  }
  const auth = auths.find(({ type }) => type === config.auth.type)!
  const session = auth.start(config.auth, authContext)

  /** Sends once, and once more with new credentials when they were refused and there can be others. */
  function sender(endpoint: Endpoint, place: unknown, from: string | undefined): () => Promise<Answer> {
    let renewed = false
    const send = async (): Promise<Answer> => {
      const asking = endpoint.ask(place, from)
      const answer = await client.send({
        ...asking,
        credentials: merged(asking.credentials, await session.credentials()),
      })
      if (answer.status !== 401 || !session.renew || renewed) return answer
      renewed = true
      log('warning', 'the source has refused the token: a new one is asked for', { request: endpoint.name })
      session.renew()
      return send()
    }
    return send
  }

  return {
    async page(endpoint, place, { page, from }) {
      if (page >= endpoint.config.max_pages) {
        const message = `${endpoint.name}: there may be more after ${page} pages, which is all that max_pages allows`
        throw new DomainError('VALIDATION_ERROR', message)
      }
      const { pagination } = endpoint
      const mayLackRows = page > 0 || from !== undefined
      const isPast = (status: number) => page > 0 && pagination.isPast?.(place, status) === true
      const read = (answer: Answer) =>
        readPage(answer, { endpoint, mayLackRows, isPast, redactor, limits: context.formatLimits })
      return patiently(`${endpoint.name}, page ${page + 1}`, sender(endpoint, place, from), read, patience)
    },
    resolve: ({ url }, address) => withoutSecrets(nextAddress(address, url, redactor), redactor).href,
    scrub: redactor.text,
    get calls() {
      return calls
    },
    close: client.close,
  }
}

function merged(a: Credentials, b: Credentials): Credentials {
  return { headers: { ...a.headers, ...b.headers }, params: { ...a.params, ...b.params } }
}
