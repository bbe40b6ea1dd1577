import { setTimeout as delay } from 'node:timers/promises'
import { DomainError } from '../../../../kernel/errors.ts'
import { type PullContext, SourceBusy } from '../../connector.ts'
import type { Redactor } from '../redact.ts'
import type { Answer } from './client.ts'
import { MayPass } from './may-pass.ts'
import { retryAfter } from './retry-after.ts'

/** Tries at once, and the longest pauses between them: together well below what a run would rather wait for. */
const TRIES = 3
const PAUSES_MS = [500, 1500]
const EXCERPT = 200
const LOOKED_AT = 32_768
const LONGEST_SECRET = 10_000

interface PatienceContext extends Pick<PullContext, 'signal' | 'log'> {
  readonly redactor: Redactor
}

/**
 * Asks, and asks again when what went wrong may pass: network errors, 5xx, 408, what `read` throws MayPass for. Then, or
 * at once when the source says that it has had enough, fails with SourceBusy. `name` says what is asked for. Answers
 * what `read` makes of any other answer.
 */
export async function patiently<T>(
  name: string,
  send: () => Promise<Answer>,
  read: (answer: Answer) => T,
  { signal, log, redactor }: PatienceContext,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      const answer = await send()
      refuseIfBusy(name, answer)
      const passing = answer.status === 408 || answer.status === 425 || answer.status >= 500
      if (passing) throw new MayPass(`it answered ${statusOf(answer, redactor)}`)
      return read(answer)
    } catch (error) {
      if (error instanceof DomainError) throw named(name, error, redactor)
      if (!(error instanceof MayPass)) throw error
      if (attempt === TRIES || !error.soon) throw new SourceBusy(`${name}: ${error.message}`)
      const most = PAUSES_MS[attempt - 1]!
      const pause = Math.round(most / 2 + (Math.random() * most) / 2)
      log('warning', 'a request failed and is tried again', {
        request: name,
        error: error.message,
        attempt,
        pause_ms: pause,
      })
      await delay(pause, undefined, { signal }).catch(() => signal.throwIfAborted())
    }
  }
}

function refuseIfBusy(name: string, { status, headers }: Answer): void {
  if (status !== 429 && status !== 503) return
  const until = retryAfter(headers['retry-after'], headers.date, Date.now())
  if (status === 503 && until === undefined) return
  const asked = until === undefined ? '' : ` and wants to be left alone until ${new Date(until).toISOString()}`
  throw new SourceBusy(`${name}: it answered ${status}${asked}`, until)
}

/** A status with the beginning of what was said about it. */
export function statusOf(answer: Answer, redactor: Redactor): string {
  const said = excerpt(answer.body, EXCERPT, redactor)
  return said === '' ? String(answer.status) : `${answer.status} (${typeOf(answer, redactor)}): ${said}`
}

/** The content type of an answer as a message may have it. */
export function typeOf({ headers }: Answer, redactor: Redactor): string {
  const given = headers['content-type']
  if (given === undefined) return 'no content type'
  const [type] = /^[\w.+-]{1,60}\/[\w.+-]{1,60}(; *charset=[\w-]{1,30})?/i.exec(String(given)) ?? []
  return type === undefined ? 'a content type that is none' : redactor.text(type)
}

/** The first characters of a body as a message may have them. */
export function excerpt(body: Buffer, most: number, redactor: Redactor): string {
  // What is left out where the text was cut may have been the beginning of a secret.
  const whole = body.length <= LOOKED_AT
  const text = redactor.text(body.toString('utf8', 0, LOOKED_AT)).slice(0, whole ? undefined : -LONGEST_SECRET)
  const shown = text.replaceAll(/[\s\p{Cc}\p{Cf}\ufffd]+/gu, ' ').trim()
  return shown.length > most ? `${shown.slice(0, most)}…` : shown
}

function named(name: string, { code, message, details }: DomainError, redactor: Redactor): DomainError {
  const text = redactor.text(message)
  return new DomainError(code, text.startsWith('auth: ') ? text : `${name}: ${text}`, { details })
}
