import type { FileHandle } from 'node:fs/promises'
import { Broken } from '../broken.ts'
import type { FormatLimits } from '../format.ts'
import { leavesOf, type Node, readSchema } from './schema.ts'
import { asStruct, inner, list, readStruct, type Struct, text, whole } from './thrift.ts'

/** A footer of more than this is not read: what it becomes in memory is ten times as much. */
const MAX_FOOTER_BYTES = 33_554_432

export interface Footer {
  schema: Node
  leaves: Node[]
  rows: number
  groups: Group[]
}

/** A row group: some rows, with a chunk of bytes for each leaf. */
export interface Group {
  rows: number
  chunks: Chunk[]
}

export interface Chunk {
  leaf: Node
  codec: number
  values: number
  /** Where its pages stand in the file. `end` may be generous, the number of values is what ends it. */
  start: number
  end: number
}

/** Reads and checks the footer. Throws a Broken that says what is wrong. */
export async function readFooter(handle: FileHandle, limits: FormatLimits): Promise<Footer> {
  const { size } = await handle.stat()
  if (size < 12) throw new Broken(`the file has ${size} bytes, which is too few for parquet`)
  const tail = await readAt(handle, size - 8, 8)
  const magic = tail.toString('latin1', 4)
  if (magic === 'PARE') throw new Broken('the file is encrypted')
  if (magic !== 'PAR1') throw new Broken('there is no footer at the end: the file is cut off, or no parquet')
  const length = tail.readUInt32LE(0)
  const start = size - 8 - length
  if (start < 4 || length > MAX_FOOTER_BYTES) throw new Broken(`the footer claims ${length} of the ${size} bytes`)
  const { struct } = readStruct(await readAt(handle, start, length), 0)
  const schema = readSchema(list(struct, 2), limits)
  const leaves = leavesOf(schema)
  const groups = list(struct, 4).map(value => readGroup(asStruct(value), leaves, start))
  const rows = whole(struct, 3) ?? -1
  const inGroups = groups.reduce((sum, group) => sum + group.rows, 0)
  if (rows !== inGroups) throw new Broken(`the footer claims ${rows} rows, its row groups have ${inGroups}`)
  return { schema, leaves, rows, groups }
}

async function readAt(handle: FileHandle, at: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length)
  const { bytesRead } = await handle.read(buffer, 0, length, at)
  if (bytesRead < length) throw new Broken('the file became shorter while it was read')
  return buffer
}

function readGroup(group: Struct, leaves: readonly Node[], dataEnd: number): Group {
  const rows = whole(group, 3) ?? -1
  if (rows < 0) throw new Broken(`a row group claims ${rows} rows`)
  const columns = list(group, 1)
  if (columns.length !== leaves.length)
    throw new Broken(`a row group has ${columns.length} columns, the schema ${leaves.length}`)
  return { rows, chunks: columns.map((value, i) => readChunk(asStruct(value), leaves[i]!, rows, dataEnd)) }
}

function readChunk(column: Struct, leaf: Node, rows: number, dataEnd: number): Chunk {
  const meta = inner(column, 3)
  if (meta === undefined) throw new Broken(`the column ${leaf.path} is encrypted, or has no description`)
  if (text(column, 1)) throw new Broken(`the column ${leaf.path} is in another file, ${text(column, 1)}`)
  const values = whole(meta, 5) ?? -1
  if (leaf.rep === 0 ? values !== rows : values < rows)
    throw new Broken(`the column ${leaf.path} claims ${values} values for ${rows} rows`)
  const data = whole(meta, 9) ?? -1
  const dictionary = whole(meta, 11) ?? 0
  const start = dictionary >= 4 && dictionary < data ? dictionary : data
  const bytes = whole(meta, 7) ?? -1
  if (rows > 0 && (start < 4 || bytes < 0 || start + bytes > dataEnd))
    throw new Broken(`the column ${leaf.path} claims the bytes from ${start} to ${start + bytes}, of ${dataEnd}`)
  // Some writers left the dictionary's header out of the length.
  return { leaf, codec: whole(meta, 4) ?? 0, values, start, end: Math.min(start + bytes + 256, dataEnd) }
}
