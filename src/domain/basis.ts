import { elementsOf, membersOf, objectText, quoted, unquoted } from '../kernel/members.ts'

/**
 * What a row has to know about itself for the conflicts to come, as JSON text; null for most rows:
 *
 *   updated_at  when its own system changed it, if the push that wrote it said so
 *   source      the system it came from, when the push said more than its data, or sources decide
 *   deltas      for merging fields: what the last updates replaced, `{v, old, made}`: the version that each made, the
 *               old texts of the fields that it changed, and the fields that it made
 */
export interface Basis {
  readonly updatedAt: string | null
  readonly source: string | null
  /** JSON texts, the oldest first. */
  readonly deltas: readonly string[]
}

/** Updates that are remembered: who has not read a record for longer than that is asked, not merged. */
export const MAX_DELTAS = 20
/** Text of theirs in a row, in characters: every update of the row reads and writes it. */
export const MAX_DELTA_TEXT = 32 * 1024

const UPDATED_AT = '{"updated_at":"'

export function basisText({ updatedAt, source, deltas }: Basis): string | null {
  // The time first, where statedAt looks for it; it has nothing to escape.
  let text = updatedAt === null ? '' : `${UPDATED_AT}${updatedAt}"`
  if (source !== null) text += `${text === '' ? '{' : ','}"source":${quoted(source)}`
  if (deltas.length > 0) text += `${text === '' ? '{' : ','}"deltas":[${deltas.join(',')}]`
  return text === '' ? null : `${text}}`
}

/** When the row's own system changed it, if that was said. Every push that says so asks: it takes no parsing. */
export function statedAt(basis: string | null): string | null {
  if (!basis?.startsWith(UPDATED_AT)) return null
  return basis.slice(UPDATED_AT.length, basis.indexOf('"', UPDATED_AT.length))
}

export function sourceIn(basis: string | null): string | null {
  const source = basis === null ? undefined : membersOf(basis).get('source')
  return source === undefined ? null : unquoted(source)
}

function deltasIn(basis: string | null): string[] {
  const deltas = basis === null ? undefined : membersOf(basis).get('deltas')
  return deltas === undefined ? [] : elementsOf(deltas)
}

/** The deltas after an update to `version`; `changes` is the text of what it changed, `before` that of the data before. */
export function deltasAfter(basis: string | null, version: number, before: string, changes: string): string[] {
  const were = membersOf(before)
  const old = new Map<string, string>()
  const made: string[] = []
  for (const name of membersOf(changes).keys()) {
    const value = were.get(name)
    if (value === undefined) made.push(quoted(name))
    else old.set(name, value)
  }
  const deltas = [...deltasIn(basis), `{"v":${version},"old":${objectText(old)},"made":[${made.join(',')}]}`]
  let text = deltas.reduce((sum, { length }) => sum + length, 0)
  while (deltas.length > MAX_DELTAS || text > MAX_DELTA_TEXT) text -= deltas.shift()!.length
  return deltas
}

/** The fields of a row as they were at an earlier version, each with its text; undefined when that is not known any more. */
export function fieldsAt(
  row: { readonly data: string; readonly version: number; readonly basis: string | null },
  version: number,
): Map<string, string> | undefined {
  const fields = membersOf(row.data)
  let known = row.version
  for (const delta of deltasIn(row.basis).reverse()) {
    if (known <= version) break
    const parts = membersOf(delta)
    known = Number(parts.get('v')) - 1
    for (const [name, value] of membersOf(parts.get('old')!)) fields.set(name, value)
    for (const name of elementsOf(parts.get('made')!)) fields.delete(unquoted(name))
  }
  return known <= version ? fields : undefined
}
