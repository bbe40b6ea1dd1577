import { invalid } from '../../../kernel/errors.ts'
import type { FormatLimits } from '../format.ts'
import { endOf, type Rows, takeElements, takeValue, unexpected } from './rows.ts'
import { findEnd, skipLoosely, toText } from './values.ts'
import type { Window } from './window.ts'

const NAMES_SHOWN = 20

/** The parts of a JSON pointer (RFC 6901). */
export function pointerParts(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map(part => part.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/**
 * Takes the elements of the array, or the one object, that `pointer` leads to, and goes on to the end of the document, so
 * that one that is cut off is noticed. Throws an invalid `options.data_path` when it leads nowhere.
 */
export async function takeAt(window: Window, pointer: string, rows: Rows): Promise<void> {
  const parts = pointerParts(pointer)
  const state = { found: false, names: [] as string[] }
  if (!(await toText(window))) throw endOf(window, rows, 'the file is empty, where JSON was expected')
  await descend(window, parts, rows, state)
  if (!state.found) {
    const names = state.names.map(name => JSON.stringify(name)).join(', ')
    const has = names ? `; on its way there it has ${names}` : ''
    throw invalid('options.data_path', `the file has nothing at ${pointer}${has}`)
  }
  if (await toText(window)) throw unexpected(window, window.at, rows, 'the end of the file')
}

interface State {
  found: boolean
  /** Names beside the one that is looked for. */
  names: string[]
}

async function descend(window: Window, parts: readonly string[], rows: Rows, state: State): Promise<void> {
  const first = window.bytes[window.at]
  if (parts.length === 0) {
    state.found = true
    if (first === 91) return takeElements(window, rows)
    if (first === 123) return takeValue(window, rows)
    throw invalid('options.data_path', 'it leads to something that is neither an array nor an object')
  }
  if (first === 123) return eachMember(window, parts, rows, state)
  if (first === 91) return eachElement(window, parts, rows, state)
  window.at = await skipLoosely(window, 0)
}

async function eachMember(window: Window, [name, ...rest]: readonly string[], rows: Rows, state: State): Promise<void> {
  for (;;) {
    await beyond(window, rows)
    if (window.bytes[window.at] === 125) break
    const key = await readName(window, rows)
    if (!(await toText(window))) throw endOf(window, rows, 'the file ends within an object')
    if (window.bytes[window.at] !== 58) throw unexpected(window, window.at, rows, '":"')
    await beyond(window, rows)
    if (key === name && !state.found) await descend(window, rest, rows, state)
    else {
      if (!state.found && state.names.length < NAMES_SHOWN) state.names.push(key)
      window.at = await skipLoosely(window, 0)
    }
    if (await next(window, 125, rows)) break
  }
  window.at++
}

async function eachElement(
  window: Window,
  [name, ...rest]: readonly string[],
  rows: Rows,
  state: State,
): Promise<void> {
  for (let i = 0; ; i++) {
    await beyond(window, rows)
    if (window.bytes[window.at] === 93) break
    if (String(i) === name && !state.found) await descend(window, rest, rows, state)
    else window.at = await skipLoosely(window, 0)
    if (await next(window, 93, rows)) break
  }
  window.at++
}

/** Moves over the byte at the window's place and the white space behind it. */
async function beyond(window: Window, rows: Rows): Promise<void> {
  window.at++
  if (!(await toText(window))) throw endOf(window, rows, 'the file ends where a value was expected')
}

/** After a member or an element: true at the closing bracket, false at a comma. */
async function next(window: Window, closing: number, rows: Rows): Promise<boolean> {
  if (!(await toText(window))) throw endOf(window, rows, 'the file ends within an object or array')
  const byte = window.bytes[window.at]
  if (byte === closing) return true
  if (byte === 44) return false
  throw unexpected(window, window.at, rows, `"," or "${String.fromCharCode(closing)}"`)
}

async function readName(window: Window, rows: Rows): Promise<string> {
  if (window.bytes[window.at] !== 34) throw unexpected(window, window.at, rows, 'a member name in double quotes')
  const limits: FormatLimits = rows.limits
  const { end, fault } = await findEnd(window, limits, 0)
  const name = fault ? '' : (JSON.parse(window.bytes.toString('utf8', window.at, end)) as string)
  window.at = end
  return name
}
