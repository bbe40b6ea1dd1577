import { type FileHandle, open } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import { Broken, createGrowth, damaged } from '../broken.ts'
import type { FormatReader, ReadControl, RowSink } from '../format.ts'
import { type Column, openColumn } from './column.ts'
import { type Footer, type Group, readFooter } from './footer.ts'
import { createBudget } from './pages.ts'
import { createRows } from './rows.ts'

/** After so much text of rows others get their turn, and the signal is looked at. */
const TURN_CHARS = 262_144

export const reader: FormatReader = {
  async read(file, _options, sink, control) {
    return withFooter(file, control, (footer, handle, size) => readGroups(footer, handle, size, sink, control))
  },
  count: (file, _options, control) => withFooter(file, control, async footer => footer.rows),
}

/** What a row takes at least once it is taken in, whatever is in it. */
const ROW_BYTES = 64

async function withFooter<T>(
  file: string,
  { limits, signal, onColumns }: ReadControl,
  use: (footer: Footer, handle: FileHandle, size: number) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted()
  const handle = await open(file)
  try {
    const { size } = await handle.stat()
    const footer = await readFooter(handle, limits)
      .then(read => {
        // A few bytes can stand for a thousand million rows without a text among them.
        createGrowth(size, limits)(read.rows * ROW_BYTES)
        return read
      })
      .catch(error => {
        throw damaged(error, 0)
      })
    onColumns?.(footer.schema.children.map(({ key }) => key))
    return await use(footer, handle, size)
  } finally {
    await handle.close()
  }
}

interface Reading {
  footer: Footer
  fd: number
  sink: RowSink
  control: ReadControl
  /** Counts the text of rows; throws a Broken when it is out of all proportion to the file. */
  grown: (chars: number) => void
  turn: () => Promise<void> | undefined
}

async function readGroups(
  footer: Footer,
  handle: FileHandle,
  size: number,
  sink: RowSink,
  control: ReadControl,
): Promise<number> {
  const { limits, signal, after = 0 } = control
  const grow = createGrowth(size, limits)
  let chars = 0
  let turnAt = TURN_CHARS
  const reading: Reading = {
    footer,
    fd: handle.fd,
    sink,
    control,
    grown(more) {
      chars += more
      grow(more)
    },
    turn() {
      if (chars < turnAt) return undefined
      turnAt = chars + TURN_CHARS
      return setImmediate().then(() => signal?.throwIfAborted())
    },
  }
  let before = 0
  for (const group of footer.groups) {
    if (before + group.rows > after) await readGroup(reading, group, before)
    before += group.rows
  }
  return footer.rows
}

async function readGroup(reading: Reading, group: Group, before: number): Promise<void> {
  const { footer, fd, sink, control, grown, turn } = reading
  const { limits, after = 0 } = control
  const budget = createBudget(limits.maxHeldBytes)
  const columns: Column[] = []
  let number = before + 1
  try {
    for (const chunk of group.chunks) columns.push(openColumn(fd, chunk, budget, limits))
    const rows = createRows(footer.schema, columns, limits, grown)
    for (const last = before + group.rows; number <= last; number++) {
      rows.next()
      if (number > after) {
        const wait = rows.refusal ? refuse() : sink.row(number, rows.text)
        if (wait) await wait
      }
      const pause = turn()
      if (pause) await pause
    }
    const longer = columns.find(column => !column.ended)
    if (longer) throw new Broken(`the column ${longer.leaf.path} has more rows than the rest`)

    function refuse(): void | Promise<void> {
      const all = Buffer.from(rows.text)
      const original = all.subarray(0, limits.maxRowBytes)
      return sink.refuse(number, rows.refusal!, original, Math.max(rows.length, all.length))
    }
  } catch (error) {
    throw damaged(error, number <= before + group.rows ? number : 0)
  }
}
