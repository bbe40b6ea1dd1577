/** Writes parquet files of one column by hand, so that every header can say what is not so. */

type Field = boolean | number | bigint | string | Buffer | Thrift | List
/** A struct by its field numbers, and a list with the type of its elements. */
export type Thrift = { readonly [field: number]: Field | undefined }
class List {
  readonly items: readonly (Thrift | string | I32)[]
  constructor(items: readonly (Thrift | string | I32)[]) {
    this.items = items
  }
}
class I32 {
  readonly value: number
  constructor(value: number) {
    this.value = value
  }
}

function varint(value: bigint): Buffer {
  const bytes: number[] = []
  let n = value
  do {
    bytes.push(Number(n & 127n) | (n > 127n ? 128 : 0))
    n >>= 7n
  } while (n > 0n)
  return Buffer.from(bytes)
}

const zigzag = (value: bigint): Buffer => varint(value < 0n ? -value * 2n - 1n : value * 2n)

/** Numbers are i32, bigints i64. */
function encode(value: Field | I32): [type: number, bytes: Buffer] {
  if (typeof value === 'boolean') return [value ? 1 : 2, Buffer.alloc(0)]
  if (typeof value === 'number') return [5, zigzag(BigInt(value))]
  if (typeof value === 'bigint') return [6, zigzag(value)]
  if (value instanceof I32) return [5, zigzag(BigInt(value.value))]
  if (typeof value === 'string') return encode(Buffer.from(value))
  if (Buffer.isBuffer(value)) return [8, Buffer.concat([varint(BigInt(value.length)), value])]
  if (!(value instanceof List)) return [12, thrift(value)]
  const items = value.items.map(encode)
  const type = items[0]?.[0] ?? 12
  const head = items.length < 15 ? Buffer.from([(items.length << 4) | type]) : Buffer.from([0xf0 | type])
  const length = items.length < 15 ? Buffer.alloc(0) : varint(BigInt(items.length))
  return [9, Buffer.concat([head, length, ...items.map(([, bytes]) => bytes)])]
}

export function thrift(struct: Thrift): Buffer {
  let last = 0
  const parts = Object.entries(struct).map(([key, value]) => {
    if (value === undefined) return Buffer.alloc(0)
    const field = Number(key)
    const [type, bytes] = encode(value)
    const head = Buffer.from([((field - last) << 4) | type])
    last = field
    return Buffer.concat([head, bytes])
  })
  return Buffer.concat([...parts, Buffer.from([0])])
}

export const list = (...items: (Thrift | string | number)[]): List =>
  new List(items.map(item => (typeof item === 'number' ? new I32(item) : item)))

export interface Lies {
  /** Bytes of the pages, headers included; see `page`. */
  pages: Buffer
  /** The column's own schema element; an optional INT32 by default. */
  element?: Thrift
  /** All schema elements. */
  schema?: List
  rows: number | bigint
  /** What the footer says. */
  fileRows?: number | bigint
  chunk?: Thrift
  codec?: number
  footerLength?: number
}

/** A file with one row group of one column. */
export function parquetFile(lies: Lies): Buffer {
  const { pages, rows, codec = 0, element = { 1: 1, 3: 1, 4: 'n' } } = lies
  const meta = {
    1: 1,
    2: list(0),
    3: list('n'),
    4: codec,
    5: BigInt(rows),
    6: BigInt(pages.length),
    7: BigInt(pages.length),
    9: 4n,
    ...lies.chunk,
  }
  const group = { 1: list({ 2: 4n, 3: meta }), 2: BigInt(pages.length), 3: BigInt(rows) }
  const schema = lies.schema ?? list({ 4: 'root', 5: 1 }, element)
  const footer = thrift({ 1: 1, 2: schema, 3: BigInt(lies.fileRows ?? rows), 4: list(group) })
  const length = Buffer.alloc(4)
  length.writeUInt32LE(lies.footerLength ?? footer.length)
  return Buffer.concat([Buffer.from('PAR1'), pages, footer, length, Buffer.from('PAR1')])
}

export interface PageLies {
  body: Buffer
  values: number
  encoding?: number
  size?: number
  compressed?: number
  crc?: number
  dictionary?: boolean
}

/** A data page of version 1, or a dictionary page, with its header. */
export function page({ body, values, encoding = 0, size, compressed, crc, dictionary }: PageLies): Buffer {
  const about = dictionary ? { 7: { 1: values, 2: encoding } } : { 5: { 1: values, 2: encoding, 3: 3, 4: 3 } }
  const header = { 1: dictionary ? 2 : 0, 2: size ?? body.length, 3: compressed ?? body.length, 4: crc, ...about }
  return Buffer.concat([thrift(header), body])
}

/** A run of one value in the run-length encoding, and its length before it, as the levels of a page of version 1. */
export function levels(count: number, value: number): Buffer {
  const run = Buffer.concat([varint(BigInt(count) * 2n), Buffer.from([value])])
  const length = Buffer.alloc(4)
  length.writeUInt32LE(run.length)
  return Buffer.concat([length, run])
}

export function int32s(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4)
  for (const [i, value] of values.entries()) bytes.writeInt32LE(value, i * 4)
  return bytes
}
