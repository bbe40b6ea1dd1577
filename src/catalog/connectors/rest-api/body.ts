import { JsonError, type Span, skipSpace, skipValue } from '../../../kernel/json.ts'
import { unquoted } from '../../../kernel/members.ts'
import { pointerParts } from '../../formats/json/path.ts'
import { createSkipper } from '../../formats/json/values.ts'

/** What an answer's body has: where its rows are, how many, and the texts that were looked for. Nothing is built. */
export interface Scanned {
  /** The array of rows, the object that is one, or whatever else data_path leads to; undefined: it leads nowhere. */
  readonly data: Span | undefined
  readonly rows: number
  /** The last row that is an object. */
  readonly lastObject: Span | undefined
  /** JSON texts of what the other pointers lead to. */
  readonly values: readonly (string | undefined)[]
  /** Names that the body has beside the way to the rows. */
  readonly names: readonly string[]
}

const [OBJECT, ARRAY, OBJECT_END, ARRAY_END, COMMA, COLON, QUOTE] = [123, 91, 125, 93, 44, 58, 34]
const NAMES_SHOWN = 20
/** Of what stands around the rows; rows have a limit of their own. */
const MAX_DEPTH = 200

/** A part of a body that some pointer goes through or ends at. */
interface Place {
  readonly inside: Map<string, Place>
  /** Which of the pointers end here. */
  readonly wanted: number[]
  isData: boolean
}

/**
 * Goes over a whole body once. Throws a JsonError where it is no JSON. Of members with one name the later counts, as
 * JSON.parse has it. A row that is deeper than `maxDepth` is passed over as a row.
 */
export function scanBody(
  bytes: Buffer,
  dataPath: string,
  pointers: readonly (string | undefined)[],
  maxDepth: number,
): Scanned {
  const root = emptyPlace()
  placeAt(root, dataPath).isData = true
  for (const [index, pointer] of pointers.entries())
    if (pointer !== undefined) placeAt(root, pointer).wanted.push(index)
  const found = {
    data: undefined as Span | undefined,
    rows: 0,
    lastObject: undefined as Span | undefined,
    values: pointers.map(() => undefined as string | undefined),
    names: [] as string[],
  }

  function value(i: number, place: Place | undefined, depth: number): number {
    if (!place) return skipValue(bytes, i, bytes.length, depth)
    if (depth <= 0) throw new JsonError('nested too deep', i)
    const kind = bytes[i]
    let end: number
    if (kind === ARRAY && (place.isData || place.inside.size > 0)) end = elements(i, place, depth)
    else if (kind === OBJECT && place.inside.size > 0) end = members(i, place, depth)
    else end = place.isData ? endOfRow(bytes, i, bytes.length, maxDepth) : skipValue(bytes, i, bytes.length, depth)
    for (const index of place.wanted) found.values[index] = bytes.toString('utf8', i, end)
    if (place.isData) {
      found.data = { start: i, end }
      if (kind === OBJECT) Object.assign(found, { rows: 1, lastObject: found.data })
      else if (kind !== ARRAY) Object.assign(found, { rows: 0, lastObject: undefined })
    }
    return end
  }

  function members(start: number, place: Place, depth: number): number {
    let i = skipSpace(bytes, start + 1, bytes.length)
    if (bytes[i] === OBJECT_END) return i + 1
    for (;;) {
      if (bytes[i] !== QUOTE) throw unexpected(bytes, i, 'a member name in double quotes')
      const nameEnd = skipValue(bytes, i, bytes.length, 1)
      const name = unquoted(bytes.toString('utf8', i, nameEnd))
      i = skipSpace(bytes, nameEnd, bytes.length)
      if (bytes[i] !== COLON) throw unexpected(bytes, i, '":"')
      i = skipSpace(bytes, i + 1, bytes.length)
      if (found.names.length < NAMES_SHOWN) found.names.push(name)
      i = skipSpace(bytes, value(i, place.inside.get(name), depth - 1), bytes.length)
      if (bytes[i] === OBJECT_END) return i + 1
      if (bytes[i] !== COMMA) throw unexpected(bytes, i, '"," or "}"')
      i = skipSpace(bytes, i + 1, bytes.length)
    }
  }

  function elements(start: number, place: Place, depth: number): number {
    let count = 0
    let [objectStart, objectEnd] = [-1, -1]
    let i = skipSpace(bytes, start + 1, bytes.length)
    if (bytes[i] === ARRAY_END) i++
    else
      for (;;) {
        const inside = place.inside.size > 0 ? place.inside.get(String(count)) : undefined
        let end: number
        if (inside) end = value(i, inside, depth - 1)
        else if (place.isData) end = endOfRow(bytes, i, bytes.length, maxDepth)
        else end = skipValue(bytes, i, bytes.length, depth - 1)
        count++
        if (bytes[i] === OBJECT) [objectStart, objectEnd] = [i, end]
        i = skipSpace(bytes, end, bytes.length)
        if (bytes[i] === ARRAY_END) {
          i++
          break
        }
        if (bytes[i] !== COMMA) throw unexpected(bytes, i, '"," or "]"')
        i = skipSpace(bytes, i + 1, bytes.length)
      }
    if (place.isData) {
      found.rows = count
      found.lastObject = objectStart < 0 ? undefined : { start: objectStart, end: objectEnd }
    }
    return i
  }

  const from = skipSpace(bytes, bomOf(bytes), bytes.length)
  const end = skipSpace(bytes, value(from, root, MAX_DEPTH), bytes.length)
  if (end < bytes.length) throw unexpected(bytes, end, 'the end of the text')
  return found
}

/** Where the row that starts at `i` ends, also when it is deeper than `maxDepth`. */
export function endOfRow(bytes: Buffer, i: number, end: number, maxDepth: number): number {
  try {
    return skipValue(bytes, i, end, maxDepth)
  } catch (error) {
    if (!(error instanceof JsonError) || !isTooDeep(error)) throw error
    const at = createSkipper()(bytes, i, end, false)
    if (at < 0) throw new JsonError('a row is not closed', end)
    return at
  }
}

export function isTooDeep(error: JsonError): boolean {
  return error.message.startsWith('nested too deep')
}

function emptyPlace(): Place {
  return { inside: new Map(), wanted: [], isData: false }
}

function placeAt(root: Place, pointer: string): Place {
  let at = root
  for (const part of pointerParts(pointer)) {
    const next = at.inside.get(part) ?? emptyPlace()
    at.inside.set(part, next)
    at = next
  }
  return at
}

function bomOf(bytes: Buffer): number {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0
}

function unexpected(bytes: Buffer, i: number, wanted: string): JsonError {
  const found = i < bytes.length ? JSON.stringify(String.fromCharCode(bytes[i]!)) : 'the end of the text'
  return new JsonError(`expected ${wanted}, found ${found}`, i)
}
