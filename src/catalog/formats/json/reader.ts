import { skipSpace, skipValue } from '../../../kernel/json.ts'
import { headOf } from '../bytes.ts'
import { FileDamaged, type FormatReader, HEAD_BYTES, type ReadControl, type RowSink } from '../format.ts'
import type { Options } from '../json.ts'
import { takeLines } from './lines.ts'
import { takeAt } from './path.ts'
import { createRows, type Rows, takeValue } from './rows.ts'
import { check, toText } from './values.ts'
import { openWindow, type Window } from './window.ts'

/** How deep an object may be for its end to be looked for in the head. */
const LOOK_DEPTH = 200

export const reader: FormatReader<Options> = {
  read,
  count: (file, options, control) => read(file, options, undefined, control),
}

/** How many bytes of byte order mark a file begins with. */
export function bomOf(head: Buffer): number {
  return head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf ? 3 : 0
}

async function read(file: string, options: Options, sink: RowSink | undefined, control: ReadControl): Promise<number> {
  const head = await headOf(file, HEAD_BYTES)
  if (head[0] === 0xff || head[0] === 0xfe || head.indexOf('\0') === 1)
    throw new FileDamaged('the file is UTF-16, JSON is UTF-8', { row: 0, byte: 0 })
  const rows = createRows(sink, control)
  const window = await openWindow(file, control.signal)
  try {
    await window.more()
    window.at = bomOf(head)
    await walk(window, options, rows, head)
  } finally {
    await window.close()
  }
  return rows.number
}

async function walk(window: Window, { data_path }: Options, rows: Rows, head: Buffer): Promise<void> {
  if (data_path !== undefined) return takeAt(window, data_path, rows)
  if (!(await toText(window))) return
  if (window.bytes[window.at] === 91) return takeAt(window, '', rows)
  if (!spansLines(head)) return takeLines(window, rows)
  while (await toText(window)) await takeValue(window, rows)
}

/**
 * Whether objects stand one after the other over lines, as people write them, rather than each on its line. The first
 * one tells: it goes on past its line and is right, as far as it is here. If it is not, its line is a broken one.
 */
function spansLines(head: Buffer): boolean {
  const at = skipSpace(head, bomOf(head), head.length)
  if (head[at] !== 123) {
    if (/^\s*\{/m.test(head.toString('latin1', at))) return false
    throw new FileDamaged('the file is not JSON: it begins with neither [ nor {', { row: 0, byte: at })
  }
  const end = check(() => skipValue(head, at, head.length, LOOK_DEPTH), head.length)
  if (typeof end !== 'number' && end.kind !== 'cut') return false
  return head.subarray(at, typeof end === 'number' ? end : head.length).includes(10)
}
