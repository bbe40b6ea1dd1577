import type { Row, Table } from '../kernel/projection.ts'
import { rowBytes } from '../store/store.ts'

/** What a row takes beside its text, of which a unit takes two bytes once one of its letters needs them. */
const ROW_BYTES = 300
const UNIT_BYTES = 2

/**
 * Rows of a table as the last transactions of a claim have left them. Nobody else writes the rows of a stream while it is
 * claimed, so they need not be read again. They end with the claim: what comes after it may have been written by others.
 */
export interface RememberedRows {
  get(key: string): Row | undefined
  /** To be told of rows once they are in the store. */
  keep(key: string, row: Row): void
}

/** What one claim remembers, by table. */
export interface Remembered {
  readonly of: ReadonlyMap<Table, RememberedRows>
  /** Leaves its room to the others. */
  end(): void
}

/** Room for the rows of all claims of a projector: about `maxBytes` of memory, shared out evenly among them. */
export function rowMemory(maxBytes: number): { begin(tables: readonly Table[], stream: string): Remembered } {
  let sharing = 0

  function rowsOf(stream: string): RememberedRows {
    // Of two halves the older one goes when the other is full: a row that was written since is in that one, too.
    let [young, old] = [new Map<string, Row>(), new Map<string, Row>()]
    let bytes = 0
    return {
      get: key => young.get(key) ?? old.get(key),
      keep(key, row) {
        // One that another stream has written is that one's until this stream writes it.
        if (row.stream !== stream) return
        const before = young.get(key)
        bytes += weightOf(row) - (before ? weightOf(before) : 0)
        young.set(key, row)
        if (bytes <= maxBytes / sharing / 2) return
        old = young
        young = new Map()
        bytes = 0
      },
    }
  }

  return {
    begin(tables, stream) {
      const remembered = tables.filter(table => table.remembered)
      sharing += remembered.length
      return {
        of: new Map(remembered.map(table => [table, rowsOf(stream)])),
        end() {
          sharing -= remembered.length
        },
      }
    },
  }
}

function weightOf(row: Row): number {
  return UNIT_BYTES * rowBytes(row) + ROW_BYTES
}
