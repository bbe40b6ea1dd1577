import { isSensitive } from './secrets.ts'

const HIDDEN = '***'
/** Shorter texts are no secrets, and hiding them would make messages unreadable. */
const MIN_SECRET = 3
/** A part of a secret, as the token in `Bearer …`, is hidden by itself from this length on. */
const MIN_PART = 8
const MAX_SECRETS = 1000

/** Takes the secrets of a run out of whatever is told: errors, log lines, and addresses that go into the state. */
export interface Redactor {
  /** Makes a text a secret, in every spelling it may come back in. */
  add(secret: string): void
  text(text: string): string
  /** An address as it may be shown. */
  url(url: URL): string
  /** Whether a text is a secret. */
  has(text: string): boolean
}

export function createRedactor(): Redactor {
  const whole = new Set<string>()
  let spellings: string[] = []

  function text(given: string): string {
    let out = given
    for (const spelling of spellings) out = out.replaceAll(spelling, HIDDEN)
    return out
  }

  return {
    add(secret) {
      if (secret.length < MIN_SECRET || whole.has(secret)) return
      // Tokens that were used up make room for new ones; the first are those of the configuration.
      if (whole.size >= MAX_SECRETS) spellings = spellings.slice(0, MAX_SECRETS)
      whole.add(secret)
      const parts = secret.split(/[\s;,=]+/).filter(part => part.length >= MIN_PART)
      for (const each of [secret, ...parts]) spellings.push(...spellingsOf(each))
      spellings = [...new Set(spellings)].sort((a, b) => b.length - a.length)
    },
    text,
    url(url) {
      const shown = new URL(url)
      shown.username = ''
      shown.password = ''
      shown.hash = ''
      for (const [name, value] of [...shown.searchParams])
        if (isSensitive(name) || whole.has(value)) shown.searchParams.set(name, HIDDEN)
      return text(shown.href)
    },
    has: secret => whole.has(secret),
  }
}

function spellingsOf(secret: string): string[] {
  const inForm = new URLSearchParams([['', secret]]).toString().slice(1)
  const inJson = JSON.stringify(secret).slice(1, -1)
  const inHtml = secret
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
  const [component, whole] = [encodeURIComponent(secret.toWellFormed()), encodeURI(secret.toWellFormed())]
  const url = new URL('http://x')
  url.pathname = secret
  url.search = secret
  return [secret, component, whole, inForm, inJson, inHtml, url.pathname.slice(1), url.search.slice(1)].filter(
    spelling => spelling.length >= MIN_SECRET,
  )
}
