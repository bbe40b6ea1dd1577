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
 * A configuration as it was given, its secrets put away by `put`, which gives their references. `was` is the one it
 * replaces, as that is kept. Throws a VALIDATION_ERROR that names the place under `field`.
 */
export async function hideSecrets<Value>(
  given: Value,
  paths: readonly SecretPath[],
  was: unknown,
  field: string,
  put: (secret: string) => Promise<string>,
): Promise<Value> {
  // A reference that somebody wrote there would be another's secret in their hands.
  if (referencesIn(given).length > 0) throw invalid(field, `"${MARK}" is a name of our own and cannot be used`)
  const hidden = structuredClone(given)
  for (const path of paths) {
    const secret = at(given, path)
    if (typeof secret !== 'string' || secret === '') continue
    const place = at(hidden, path.slice(0, -1)) as Record<string | number, unknown>
    const name = path.at(-1)!
    if (secret !== HIDDEN) {
      place[name] = { [MARK]: await put(secret) }
      continue
    }
    const kept = at(was, path)
    if (referenceOf(kept) === undefined) {
      throw invalid([field, ...path].join('.'), `there is no stored secret that "${HIDDEN}" could keep`)
    }
    place[name] = kept
  }
  return hidden
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
