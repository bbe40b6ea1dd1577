import { hashText } from '../../kernel/chance.ts'
import { compareNumbers } from '../../kernel/decimal.ts'
import { membersOf, typeOf, unquoted } from '../../kernel/members.ts'

/** What a column is for those who make rows from others. */
export interface ColumnFacts {
  /** text: running text; label: what a model is to learn, or a class; number: what is measured; other: all else. */
  readonly kind: 'text' | 'label' | 'number' | 'other'
  /** Of its numbers: standard deviation, and the least and greatest as they are written. */
  readonly deviation: number
  readonly least: string | null
  readonly greatest: string | null
}

/** What is known of a data set's columns, by name. JSON can hold it: a job keeps it in its checkpoint. */
export interface Facts {
  readonly rows: number
  readonly columns: Readonly<Record<string, ColumnFacts>>
}

/** What the user says of columns; of what is not said it is found out. */
export interface Told {
  readonly labels?: readonly string[] | undefined
  readonly texts?: readonly string[] | undefined
}

interface Looked {
  rows: number
  texts: number
  numbers: number
  whole: number
  words: number
  longest: number
  /** Hashes of its values, until they are too many for a label. */
  readonly values: Set<number>
  many: boolean
  mean: number
  squares: number
  least: string | null
  greatest: string | null
}

export interface FactsLook {
  /** Takes a row into account: the JSON text of an object. */
  add(data: string): void
  facts(told?: Told): Facts
}

/** Columns that are looked at. */
export const MAX_COLUMNS = 1000
/** So many different values has a label at most, and so many rows each of them at least. */
const MOST_CLASSES = 20
const ROWS_A_CLASS = 5
const LONGEST_LABEL = 50
/** So many words has a running text at least, by the mean. */
const WORDS = 3
/** Characters looked at of each text. */
const LOOKED_AT = 2000

const LABEL =
  /(?:^|[\s_.-])(?:labels?|class|classes|category|categories|target|sentiment|topic|y)$|标签|类别|分类|类型|情感|目标/i
const IDENTITY =
  /(?:^|[\s_.-])(?:id|ids|key|code|uuid|guid|no|number|zip|zipcode|postcode|phone|year|month|day|date|time|timestamp|version)$|[a-z](?:Id|ID|Code|Key)$|编号|年份|日期|电话/i

/** Looks at rows one by one, in bounded memory, to tell what their columns are. */
export function lookAtColumns(): FactsLook {
  const columns = new Map<string, Looked>()
  let rows = 0
  return {
    add(data) {
      rows++
      for (const [name, value] of membersOf(data)) {
        let column = columns.get(name)
        if (!column) {
          if (columns.size >= MAX_COLUMNS) continue
          column = emptyColumn()
          columns.set(name, column)
        }
        look(column, value)
      }
    },
    facts(told = {}) {
      const found = [...columns].map(([name, column]) => [name, factsOf(name, column, told)] as const)
      // __proto__ is a column like any other.
      return { rows, columns: Object.assign(Object.create(null), Object.fromEntries(found)) }
    },
  }
}

function emptyColumn(): Looked {
  const counts = { rows: 0, texts: 0, numbers: 0, whole: 0, words: 0, longest: 0, mean: 0, squares: 0 }
  return { ...counts, values: new Set(), many: false, least: null, greatest: null }
}

function look(column: Looked, value: string): void {
  const type = typeOf(value)
  if (type === 'null') return
  column.rows++
  column.longest = Math.max(column.longest, value.length)
  if (!column.many) {
    column.values.add(hashText(value))
    column.many = column.values.size > MOST_CLASSES
  }
  if (type === 'string') {
    column.texts++
    column.words += wordCount(unquoted(value).slice(0, LOOKED_AT))
  } else if (type === 'number') lookAtNumber(column, value)
}

function lookAtNumber(column: Looked, value: string): void {
  column.numbers++
  if (/^-?\d+$/.test(value)) column.whole++
  if (column.least === null || compareNumbers(value, column.least) < 0) column.least = value
  if (column.greatest === null || compareNumbers(value, column.greatest) > 0) column.greatest = value
  const number = Number(value)
  const off = number - column.mean
  column.mean += off / column.numbers
  column.squares += off * (number - column.mean)
}

/** Words between blanks; where there are none between words, two characters count as one. */
function wordCount(text: string): number {
  const blanks = text.match(/\S+/g)?.length ?? 0
  const han = text.match(/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/gu)?.length ?? 0
  return blanks + han / 2
}

function factsOf(name: string, column: Looked, told: Told): ColumnFacts {
  const { numbers, squares, least, greatest } = column
  const deviation = numbers > 1 ? Math.sqrt(squares / (numbers - 1)) : 0
  return { kind: kindOf(name, column, told), deviation: Number.isFinite(deviation) ? deviation : 0, least, greatest }
}

function kindOf(name: string, column: Looked, { labels, texts }: Told): ColumnFacts['kind'] {
  if (labels?.includes(name)) return 'label'
  if (texts) {
    if (texts.includes(name) && column.texts > 0) return 'text'
    if (column.texts * 2 > column.rows) return isLabel(name, column, labels) ? 'label' : 'other'
  }
  if (isLabel(name, column, labels)) return 'label'
  if (column.rows === 0) return 'other'
  if (column.texts * 10 >= column.rows * 9 && column.words / column.texts >= WORDS) return 'text'
  if (column.numbers === column.rows && !IDENTITY.test(name)) return 'number'
  return 'other'
}

function isLabel(name: string, column: Looked, told: readonly string[] | undefined): boolean {
  if (told) return told.includes(name)
  if (LABEL.test(name)) return true
  // A measure that happens to be the same in many rows has a fraction, mostly.
  if (column.many || column.longest > LONGEST_LABEL || column.numbers > column.whole) return false
  return column.rows > 0 && column.values.size * ROWS_A_CLASS <= column.rows
}
