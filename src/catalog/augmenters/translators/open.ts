import { isIP } from 'node:net'
import { Agent, request } from 'undici'
import { DomainError, invalid } from '../../../kernel/errors.ts'
import { createSlots } from '../../../kernel/slots.ts'
import { SourceBusy } from '../../connectors/connector.ts'
import type { Guard } from '../../reach/guard.ts'
import { longCode, type Translator } from './translator.ts'

export interface TranslatorOptions {
  /** Address of the server, from the operator: TRANSLATE_URL. */
  readonly url: string
  readonly guard: Guard
  readonly signal: AbortSignal
  /** Milliseconds that one answer may take. */
  readonly timeoutMs: number
  /** How often a text is tried again. */
  readonly retries: number
  /** Requests at once. */
  readonly concurrency: number
  /** Most bytes of an answer. */
  readonly answerBytes: number
  /** A key for LibreTranslate servers that want one. */
  readonly apiKey?: string | undefined
}

const FIRST_WAIT_MS = 200
/** Texts in a row that got no answer, however often they were tried: it is not they, the server is not there. */
const LOST = 8

/** A server's answer that is no use. */
class NoAnswer extends Error {
  /** Whether another try may do better. */
  readonly again: boolean
  constructor(message: string, again: boolean) {
    super(message)
    this.again = again
  }
}

/**
 * Finds out what server there is, apertium-apy or LibreTranslate, and which languages it has. Throws an UNAVAILABLE when it
 * does not answer, and a VALIDATION_ERROR about TRANSLATE_URL when it is neither or may not be connected to.
 */
export async function openTranslator(options: TranslatorOptions): Promise<Translator> {
  const { url, guard, timeoutMs, concurrency } = options
  const agent = new Agent({
    connect: { lookup: guard.lookup, timeout: timeoutMs },
    ...{ connections: concurrency, allowH2: false, headersTimeout: 0, bodyTimeout: 0 },
  })
  try {
    const base = baseOf(url, guard)
    const ask = (path: string, body?: Asked) => send(agent, base, path, body, options)
    const found = (await apertium(ask)) ?? (await libre(ask, options.apiKey))
    if (!found) throw invalid('TRANSLATE_URL', `${base.origin} is neither apertium-apy nor LibreTranslate`)
    const slots = createSlots(concurrency)
    let lost = 0
    const translate = async (text: string, from: string, to: string) => {
      const told = await patiently(() => found.translate(text, from, to), options)
      lost = told.lost === undefined ? 0 : lost + 1
      if (lost < LOST) return told.text
      throw new SourceBusy(`the translator at TRANSLATE_URL gave no answer for ${lost} texts: ${told.lost}`)
    }
    return {
      ...found,
      translate: (text, from, to) => slots.take(options.signal, () => translate(text, from, to)),
      close: () => agent.destroy(),
    }
  } catch (error) {
    await agent.destroy()
    if (!(error instanceof NoAnswer)) throw error
    throw new DomainError('UNAVAILABLE', `the translator at TRANSLATE_URL does not answer: ${error.message}`)
  }
}

function baseOf(url: string, guard: Guard): URL {
  const base = URL.parse(url.endsWith('/') ? url : `${url}/`)
  if (!base || !/^https?:$/.test(base.protocol)) throw invalid('TRANSLATE_URL', 'expected an http or https address')
  const host = base.hostname.replace(/^\[(.*)\]$/, '$1')
  // Only names are looked up: an address is connected to as it stands.
  if (isIP(host) !== 0) guard.check(host, host)
  return base
}

type Asked = { readonly form: Record<string, string> } | { readonly json: object }
type Ask = (path: string, body?: Asked) => Promise<unknown>
type Found = Pick<Translator, 'kind' | 'can' | 'translate'>

async function apertium(ask: Ask): Promise<Found | undefined> {
  const pairs = member(await orNothing(ask('listPairs')), 'responseData')
  if (!Array.isArray(pairs)) return undefined
  const known = new Set(pairs.map(pair => `${member(pair, 'sourceLanguage')}|${member(pair, 'targetLanguage')}`))
  const pair = (from: string, to: string) =>
    [`${longCode(from)}|${longCode(to)}`, `${from}|${to}`].find(each => known.has(each))
  return {
    kind: 'apertium-apy',
    can: (from, to) => pair(from, to) !== undefined,
    async translate(text, from, to) {
      const form = { q: text, langpair: pair(from, to)!, markUnknown: 'no' }
      return textOf(member(member(await ask('translate', { form }), 'responseData'), 'translatedText'))
    },
  }
}

async function libre(ask: Ask, apiKey: string | undefined): Promise<Found | undefined> {
  const languages = await orNothing(ask('languages'))
  if (!Array.isArray(languages)) return undefined
  const codes = new Set(languages.map(each => member(each, 'code')))
  const known = new Map(languages.map(each => [member(each, 'code'), member(each, 'targets')]))
  return {
    kind: 'libretranslate',
    can(from, to) {
      const targets = known.get(from)
      // Older servers tell no targets: each language goes into each.
      return codes.has(from) && (Array.isArray(targets) ? targets.includes(to) : codes.has(to))
    },
    async translate(text, from, to) {
      const key = apiKey === undefined ? {} : { api_key: apiKey }
      const json = { q: text, source: from, target: to, format: 'text', ...key }
      return textOf(member(await ask('translate', { json }), 'translatedText'))
    },
  }
}

/** What the path of the other kind answers is no matter, as long as somebody answers. */
async function orNothing(asked: Promise<unknown>): Promise<unknown> {
  try {
    return await asked
  } catch (error) {
    if (error instanceof NoAnswer && !error.again) return undefined
    throw error
  }
}

/** A translation; or none, and why where another time may do better. */
async function patiently(
  translate: () => Promise<string | undefined>,
  { retries, signal }: TranslatorOptions,
): Promise<{ text?: string | undefined; lost?: string }> {
  for (let n = 0; ; n++) {
    try {
      return { text: await translate() }
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof NoAnswer)) throw error
      if (!error.again) return {}
      if (n >= retries) return { lost: error.message }
      await pause(FIRST_WAIT_MS * 2 ** n, signal)
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer)
      reject(signal.reason)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop)
      resolve()
    }, ms)
    signal.addEventListener('abort', stop, { once: true })
  })
}

async function send(
  dispatcher: Agent,
  base: URL,
  path: string,
  body: Asked | undefined,
  { signal, timeoutMs, answerBytes }: TranslatorOptions,
): Promise<unknown> {
  const until = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
  try {
    const isForm = body !== undefined && 'form' in body
    const type = isForm ? 'application/x-www-form-urlencoded' : 'application/json'
    const response = await request(new URL(path, base), {
      ...{ dispatcher, signal: until, method: body ? 'POST' : 'GET' },
      headers: { accept: 'application/json', ...(body ? { 'content-type': type } : {}) },
      body: body
        ? isForm
          ? new URLSearchParams(body.form).toString()
          : JSON.stringify((body as { json: object }).json)
        : null,
    })
    const status = response.statusCode
    const text = await bounded(response.body, answerBytes)
    if (status < 200 || status > 299) throw new NoAnswer(`it answers ${status}`, status === 429 || status >= 500)
    return JSON.parse(text)
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof NoAnswer || error instanceof DomainError) throw error
    if (error instanceof SyntaxError) throw new NoAnswer('its answer is no JSON', false)
    if (until.aborted) throw new NoAnswer(`no whole answer within ${timeoutMs / 1000} s`, true)
    const { code, message } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    throw new NoAnswer(message || code, true)
  }
}

async function bounded(body: AsyncIterable<Buffer>, most: number): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > most) throw new NoAnswer(`its answer is larger than ${most} bytes`, false)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
}

function textOf(value: unknown): string {
  if (typeof value !== 'string') throw new NoAnswer('its answer has no text', false)
  return value
}
