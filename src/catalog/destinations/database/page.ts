import { JsonError } from '../../../kernel/json.ts'
import { membersOf, quoted, typeOf, unquoted } from '../../../kernel/members.ts'
import type { SinkRefusal, SinkRow } from '../destination.ts'
import type { Dialect, Table } from './connection.ts'
import { OWN_PREFIX } from './names.ts'
import { join, type Kind, kindOf } from './types.ts'

/** A member that rows of a page have: a column of the table, there or to be. */
export interface Field {
  readonly name: string
  /** The narrowest kind that takes all the page's values of it. */
  kind: Kind
  /** Whether a row has it that is taken. One that only deleted and refused rows have makes no column. */
  isTaken: boolean
}

export interface PageRow {
  readonly row: SinkRow
  readonly gone: boolean
  /** JSON texts, each at the place of its field; undefined where the row has none. */
  readonly cells: readonly (string | undefined)[]
}

export interface ReadPage {
  /** In the order in which they first appear; keys that no row has which is taken are last. */
  readonly fields: readonly Field[]
  readonly rows: readonly PageRow[]
  readonly refused: readonly SinkRefusal[]
  /** Rows that are refused and whose key is known all the same: the source has them. */
  readonly known: readonly PageRow[]
}

export interface PageRules {
  readonly dialect: Dialect
  /** The columns that tell rows apart, if any do. */
  readonly keys: readonly string[]
  /** Columns that are the sink's own. */
  readonly reserved: readonly string[]
  /** Deleted rows are passed over. */
  readonly ignoreDeletes: boolean
}

/** Most columns of a table: databases have limits of their own, some 1,600 and 2,000. */
const MAX_COLUMNS = 1000

interface Refused {
  readonly code: string
  readonly field: string | null
  readonly message: string
}

/** Takes the rows of a page apart. What cannot be a row of any such table is refused here, before the database is asked. */
export function readPage(rows: readonly SinkRow[], rules: PageRules, table: Table | undefined): ReadPage {
  const { dialect, keys } = rules
  const places = new Map<string, number>()
  const fields: Field[] = []
  const read: PageRow[] = []
  const refused: SinkRefusal[] = []
  const known: PageRow[] = []
  const there = new Set(table?.columns.map(({ name }) => dialect.nameKey(name)))
  /** The places of fields in the order in which rows that are taken first have them. */
  const order: number[] = []
  let added = 0

  /** The place of a field, a new one at the end. */
  function placeOf(key: string, name: string): number {
    let place = places.get(key)
    if (place === undefined) {
      place = fields.push({ name, kind: 'none', isTaken: false }) - 1
      places.set(key, place)
      if (!there.has(key)) added++
    }
    return place
  }

  /** Puts a row's values where they belong; why they do not belong anywhere, if so. */
  function spread(data: string, cells: (string | undefined)[]): Refused | undefined {
    let why: Refused | undefined
    for (const [name, text] of membersOf(data)) {
      const key = dialect.nameKey(name)
      const known = places.get(key)
      why ??= known === undefined ? wrongField(name, key) : undefined
      if (known === undefined && why) continue
      const place = known ?? placeOf(key, name)
      if (cells[place] !== undefined) why ??= twice(name, fields[place]!.name)
      why ??= wrongValue(name, text)
      cells[place] = text
    }
    return why
  }

  function wrongField(name: string, key: string): Refused | undefined {
    const isOwn = rules.reserved.some(each => dialect.nameKey(each) === key) || key.startsWith(OWN_PREFIX)
    const wrong = isOwn ? 'the destination has a column of its own with this name' : dialect.wrongName(name)
    if (wrong) return { code: 'INVALID_FIELD', field: name, message: `${name.slice(0, 80)}: ${wrong}` }
    if (there.has(key) || there.size + added < MAX_COLUMNS) return undefined
    const message = `${name}: the table would have more than ${MAX_COLUMNS} columns`
    return { code: 'TOO_MANY_FIELDS', field: name, message }
  }

  function wrongValue(name: string, text: string): Refused | undefined {
    // What needs no escape can be held by every database.
    if (!text.includes('\\u') || text.charCodeAt(0) !== 34) return undefined
    const wrong = dialect.wrongText(unquoted(text))
    return wrong === undefined ? undefined : { code: 'INVALID_VALUE', field: name, message: `${name}: ${wrong}` }
  }

  function withoutKey(cells: readonly (string | undefined)[]): Refused | undefined {
    const missing = keys.find(key => (cells[places.get(dialect.nameKey(key)) ?? -1] ?? 'null') === 'null')
    if (missing === undefined) return undefined
    return { code: 'MISSING_FIELD', field: missing, message: `${missing}: a key column needs a value` }
  }

  function take(row: SinkRow): void {
    const cells: (string | undefined)[] = new Array(fields.length).fill(undefined)
    const gone = row.op === 'delete'
    const why = gone ? spreadKey(row, cells) : (spread(row.data, cells) ?? nothing(cells))
    const noKey = withoutKey(cells)
    if (why ?? noKey) {
      refused.push({ row, ...(why ?? noKey)! })
      if (keys.length > 0 && !noKey) known.push({ row, gone, cells })
      return
    }
    read.push({ row, gone, cells })
    if (gone) return
    for (let place = 0; place < cells.length; place++) {
      const text = cells[place]
      if (text === undefined) continue
      const field = fields[place]!
      if (!field.isTaken) {
        field.isTaken = true
        order.push(place)
      }
      // Text takes everything: there is nothing left to find out.
      if (field.kind !== 'text') field.kind = join(field.kind, kindOf(text, dialect.decimal))
    }
  }

  /** A deleted row's key: that of its data, or its id where the key is one column. */
  function spreadKey({ id, data }: SinkRow, cells: (string | undefined)[]): undefined {
    const members = typeOf(data) === 'object' ? membersOf(data) : undefined
    for (const key of keys) {
      const text = members?.get(key) ?? (keys.length === 1 ? quoted(id) : undefined)
      cells[placeOf(dialect.nameKey(key), key)] = text
    }
  }

  for (const row of rows) {
    if (row.op === 'delete' && rules.ignoreDeletes) continue
    try {
      take(row)
    } catch (error) {
      if (!(error instanceof JsonError)) throw error
      refused.push({ row, code: 'INVALID_VALUE', field: null, message: `the row is no JSON object: ${error.message}` })
    }
  }
  for (const key of keys) {
    const place = places.get(dialect.nameKey(key))
    if (place !== undefined && !fields[place]!.isTaken) order.push(place)
  }
  return inOrder({ fields, rows: read, refused, known }, order)
}

/** Leaves out the fields, other than keys, that no row has which is taken, and puts those in order. */
function inOrder(page: ReadPage, order: readonly number[]): ReadPage {
  const isInOrder = order.length === page.fields.length && order.every((place, i) => place === i)
  if (isInOrder) return page
  const rows = (all: readonly PageRow[]) => all.map(row => ({ ...row, cells: order.map(place => row.cells[place]) }))
  return { ...page, fields: order.map(place => page.fields[place]!), rows: rows(page.rows), known: rows(page.known) }
}

function nothing(cells: readonly unknown[]): Refused | undefined {
  if (cells.some(cell => cell !== undefined)) return undefined
  return { code: 'MISSING_FIELD', field: null, message: 'the row has no fields' }
}

function twice(name: string, other: string): Refused {
  const message = `${name}: the row has it twice, as ${name} and as ${other}`
  return { code: 'FIELD_EXISTS', field: name, message }
}
