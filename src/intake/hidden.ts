import type { SecretPath } from '../catalog/secrets.ts'
import { invalid } from '../kernel/errors.ts'

/*
 * Configurations with secrets in them. Whoever owns a configuration says where its secrets are; what is kept has
 * references into the secret store in their places, as {"$secret": reference}.
 */

/** What stands in a kept configuration where a secret was: its reference in the secret store. */
const MARK = '$secret'
/** What a secret is shown as. Sent back, it keeps the one there is. */
export const HIDDEN = '***'

function referenceOf(value: unknown): string | undefined {
  return typeof value === 'object' && value !== null ? (value as Record<string, string>)[MARK] : undefined
}

function at(value: unknown, path: SecretPath): unknown {
  let found = value
  for (const name of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, name)) return undefined
    found = (found as Record<string | number, unknown>)[name]
  }
  return found
}

/** The same value with `change` made of each of its parts, objects before what is in them. */
function mapped(value: unknown, change: (part: unknown) => unknown): unknown {
  const made = change(value)
  if (made !== value || typeof made !== 'object' || made === null) return made
  if (Array.isArray(made)) return made.map(part => mapped(part, change))
  return Object.fromEntries(Object.entries(made).map(([name, part]) => [name, mapped(part, change)]))
}

/**
 * A configuration as it was given, with what "***" keeps of `was`, the one it replaces as that is kept, in its place. Throws
 * a VALIDATION_ERROR naming `field` when somebody wrote a reference: that would be another's secret in their hands.
 */
export function keepHidden<Value>(given: Value, was: unknown, field: string): Value {
  if (referencesIn(given).length > 0) throw invalid(field, `"${MARK}" is a name of our own and cannot be used`)
  const keep = (part: unknown, before: unknown): unknown => {
    if (part === HIDDEN) return referenceOf(before) === undefined ? part : before
    if (typeof part !== 'object' || part === null) return part
    if (Array.isArray(part)) return part.map((each, index) => keep(each, at(before, [index])))
    return Object.fromEntries(Object.entries(part).map(([name, each]) => [name, keep(each, at(before, [name]))]))
  }
  return keep(given, was) as Value
}

/** Throws a VALIDATION_ERROR that names the place, under `field` unless that is empty, for a "***" that keeps nothing. */
export function requireSecrets(kept: unknown, paths: readonly SecretPath[], field = ''): void {
  const missing = paths.find(path => at(kept, path) === HIDDEN)
  if (missing === undefined) return
  const place = [field, ...missing].filter(part => part !== '').join('.')
  throw invalid(place, `there is no stored secret that "${HIDDEN}" could keep`)
}

/** What `keepHidden` gave with its other secrets put away by `put`, which gives their references. */
export async function hideSecrets<Value>(
  kept: Value,
  paths: readonly SecretPath[],
  put: (secret: string) => Promise<string>,
): Promise<Value> {
  const hidden = structuredClone(kept)
  for (const path of paths) {
    const secret = at(kept, path)
    if (typeof secret !== 'string' || secret === '') continue
    const place = at(hidden, path.slice(0, -1)) as Record<string | number, unknown>
    place[path.at(-1)!] = { [MARK]: await put(secret) }
  }
  return hidden
}

/** The reference that a kept configuration has at a place. */
export function referenceAt(kept: unknown, path: SecretPath): string | undefined {
  return referenceOf(at(kept, path))
}

/** The secrets at these places of a configuration that has them. */
export function secretsAt(revealed: unknown, paths: readonly SecretPath[]): string[] {
  return paths.map(path => at(revealed, path)).filter(secret => typeof secret === 'string')
}

/** A kept configuration as people may see it. */
export function showHidden<Value>(kept: Value): Value {
  return mapped(kept, part => (referenceOf(part) === undefined ? part : HIDDEN)) as Value
}

/** The references that a kept configuration holds. */
export function referencesIn(kept: unknown): string[] {
  const found: string[] = []
  mapped(kept, part => {
    const reference = referenceOf(part)
    if (reference !== undefined) found.push(reference)
    return part
  })
  return found
}

/** A kept configuration with its secrets in their places. */
export function revealSecrets<Value>(kept: Value, secrets: ReadonlyMap<string, string>): Value {
  return mapped(kept, part => {
    const reference = referenceOf(part)
    return reference === undefined ? part : secrets.get(reference)
  }) as Value
}

/** Shorter ones would take ordinary words out of sentences, and who guesses them needs no log. */
const SHORTEST_SECRET = 4

/**
 * Takes secrets out of texts that other systems had a hand in: a source may send back in its error what it was sent. In
 * whatever way a URL or JSON has them.
 */
export function scrubber(secrets: readonly string[]): (text: string) => string {
  const spellings = secrets
    .filter(secret => secret.length >= SHORTEST_SECRET)
    .flatMap(secret => [
      secret,
      encodeURIComponent(secret),
      JSON.stringify(secret).slice(1, -1),
      Buffer.from(secret).toString('base64').replace(/=+$/, ''),
    ])
  const wanted = [...new Set(spellings)].sort((a, b) => b.length - a.length)
  return text => wanted.reduce((scrubbed, spelling) => scrubbed.replaceAll(spelling, '***'), text)
}
