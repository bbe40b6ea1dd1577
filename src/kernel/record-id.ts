import { elementsOf, membersOf, typeOf, unquoted } from './members.ts'

/** The JSON pointer (RFC 6901) to a top-level field. */
export function pointerTo(field: string): string {
  return `/${field.replaceAll('~', '~0').replaceAll('/', '~1')}`
}

/** The JSON text that a JSON pointer leads to in that of a row, which has been checked; undefined when it leads nowhere. */
export function textAt(json: string, pointer: string): string | undefined {
  let at: string | undefined = json
  for (const part of pointer.split('/').slice(1)) {
    if (at === undefined) return undefined
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~')
    const type = typeOf(at)
    if (type === 'object') at = membersOf(at).get(name)
    else at = type === 'array' && /^(0|[1-9]\d*)$/.test(name) ? elementsOf(at)[Number(name)] : undefined
  }
  return at
}

/** A field's JSON text as an id: what a text says, a number as it stands; undefined when it is neither, or empty. */
export function idOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const type = typeOf(text)
  return (type === 'string' ? unquoted(text) : type === 'number' ? text : '') || undefined
}

/**
 * The text of a row's key columns: that of one column, or of several with `:` between them, `\\` before a `:` or `\\`
 * within one, so that no two keys have one text. Else the first column that has neither text nor number, and its value.
 */
export function keyOf(
  json: string,
  columns: readonly string[],
): { readonly id: string } | { readonly column: string; readonly value: string | undefined } {
  const row = membersOf(json)
  const parts: string[] = []
  for (const column of columns) {
    const value = row.get(column)
    const part = idOf(value)
    if (part === undefined) return { column, value }
    parts.push(part)
  }
  const id = parts.length === 1 ? parts[0]! : parts.map(part => part.replace(/[\\:]/g, '\\$&')).join(':')
  return { id }
}
