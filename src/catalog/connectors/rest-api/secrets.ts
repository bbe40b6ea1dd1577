import type { SecretPath } from '../../secrets.ts'
import { auths } from './auth/index.ts'

/** Parts of the names that headers, parameters and members with credentials have, in lower case, without separators. */
const SENSITIVE =
  /auth(?!or(?!iz))|cookie|apikey|token|secret|pass(?!port)|pwd|credential|signature|session|bearer|accesskey|jwt|security|key$|^sig$/

/** Whether something of this name is taken for a secret. */
export function isSensitive(name: string): boolean {
  return SENSITIVE.test(name.toLowerCase().replaceAll(/[^a-z0-9]/g, ''))
}

/** How deep a body is looked through for secrets; a deeper one is refused with the rest of its configuration. */
export const MAX_BODY_DEPTH = 20

/**
 * Where in a configuration there are secrets: the fields that each kind of auth says, and texts under sensitive names in
 * headers, parameters and bodies. The configuration may be wrong in any way.
 */
export function secretsOf(config: unknown): SecretPath[] {
  const found: SecretPath[] = []
  const { auth, endpoints } = members(config)
  const kind = auths.find(({ type }) => type === members(auth).type)
  for (const field of kind?.secrets ?? []) if (isText(members(auth)[field])) found.push(['auth', field])
  sensitive(config, [], found)
  if (Array.isArray(endpoints))
    for (const [index, each] of endpoints.entries()) sensitive(each, ['endpoints', index], found)
  return found
}

function sensitive(holder: unknown, path: SecretPath, found: SecretPath[]): void {
  const { headers, params, body } = members(holder)
  collect(headers, [...path, 'headers'], false, found)
  collect(params, [...path, 'params'], false, found)
  collect(body, [...path, 'body'], false, found)
}

/** Texts under a sensitive name, however deep below it. */
function collect(value: unknown, path: SecretPath, secret: boolean, found: SecretPath[]): void {
  if (path.length > MAX_BODY_DEPTH + 3) return
  if (isText(value)) {
    if (secret) found.push(path)
  } else if (Array.isArray(value)) {
    for (const [index, each] of value.entries()) collect(each, [...path, index], secret, found)
  } else {
    for (const [name, each] of Object.entries(members(value)))
      collect(each, [...path, name], secret || isSensitive(name), found)
  }
}

/** The value at a path. */
export function valueAt(config: unknown, path: SecretPath): unknown {
  let at = config
  for (const part of path) at = Array.isArray(at) ? at[part as number] : members(at)[part]
  return at
}

function members(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}
