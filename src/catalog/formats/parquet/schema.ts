import { Broken } from '../broken.ts'
import { uniqueColumns } from '../columns.ts'
import type { FormatLimits } from '../format.ts'
import { asStruct, inner, type Struct, text, type Value, whole } from './thrift.ts'

export const PHYSICAL = ['BOOLEAN', 'INT32', 'INT64', 'INT96', 'FLOAT', 'DOUBLE', 'BYTE_ARRAY', 'FIXED'] as const
export type Physical = (typeof PHYSICAL)[number]

/** What a value means, from the logical type or the older converted type. */
export type Meaning =
  | { kind: 'none' | 'text' | 'json' | 'uuid' | 'date' | 'float16' | 'interval' | 'list' | 'map' }
  | { kind: 'unsigned'; bits: number }
  | { kind: 'decimal'; scale: number }
  | { kind: 'time' | 'timestamp'; digits: 3 | 6 | 9 }

/** A column or a group of columns. */
export interface Node {
  name: string
  /** The name in JSON, unique among its siblings. */
  key: string
  /** Names from the top, for messages. */
  path: string
  repetition: 'required' | 'optional' | 'repeated'
  meaning: Meaning
  children: Node[]
  /** Definition and repetition level of a value that is there. */
  def: number
  rep: number
  physical: Physical | undefined
  /** Bytes of a FIXED. */
  length: number
  /** For a leaf its number among the leaves; for a group that of its first leaf, and how many it has. */
  leaf: number
  leaves: number
}

const REPETITIONS = ['required', 'optional', 'repeated'] as const
const MAX_SCALE = 1000

/** The tree of a footer's list of schema elements. Throws a Broken when it is none, or larger than the limits. */
export function readSchema(elements: Value[], limits: FormatLimits): Node {
  let next = 0
  let leaves = 0

  function read(parent: Node | undefined, depth: number): Node {
    if (depth > limits.maxDepth) throw new Broken(`the schema is nested deeper than ${limits.maxDepth}`)
    if (next >= elements.length) throw new Broken('the schema claims more columns than it has')
    const element = asStruct(elements[next++]!)
    const name = text(element, 4) ?? ''
    const repetition = parent ? (REPETITIONS[whole(element, 3) ?? 0] ?? 'required') : 'required'
    const node: Node = {
      name,
      key: name,
      path: parent?.path ? `${parent.path}.${name}` : parent ? name : '',
      repetition,
      meaning: meaningOf(element),
      children: [],
      def: (parent?.def ?? 0) + (repetition === 'required' ? 0 : 1),
      rep: (parent?.rep ?? 0) + (repetition === 'repeated' ? 1 : 0),
      physical: undefined,
      length: 0,
      leaf: leaves,
      leaves: 0,
    }
    const children = whole(element, 5) ?? 0
    if (children > 0 || !parent) readChildren(node, children, depth)
    else readLeaf(node, element)
    return node
  }

  function readChildren(node: Node, count: number, depth: number): void {
    for (let i = 0; i < count; i++) node.children.push(read(node, depth + 1))
    node.leaves = leaves - node.leaf
    if (node.leaves === 0) throw new Broken(`the group ${node.path} has no columns`)
    const { names } = uniqueColumns(node.children.map(({ name }) => name))
    for (const [i, key] of names.entries()) node.children[i]!.key = key
  }

  function readLeaf(node: Node, element: Struct): void {
    const type = whole(element, 1)
    node.physical = type === undefined ? undefined : PHYSICAL[type]
    if (node.physical === undefined) throw new Broken(`the column ${node.path} has no type`)
    node.length = whole(element, 2) ?? 0
    if (node.physical === 'FIXED' && !(node.length > 0 && node.length <= limits.maxRowBytes))
      throw new Broken(`the column ${node.path} has values of ${node.length} bytes`)
    if (++leaves > limits.maxColumns) throw new Broken(`the file has more than ${limits.maxColumns} columns`)
    node.leaves = 1
  }

  const root = read(undefined, 0)
  if (next !== elements.length) throw new Broken('the schema has columns that belong to no group')
  return root
}

/** All columns that have values, in the order of their chunks. */
export function leavesOf(node: Node): Node[] {
  return node.children.length === 0 ? [node] : node.children.flatMap(leavesOf)
}

function meaningOf(element: Struct): Meaning {
  const logical = inner(element, 10)
  return (logical && logicalMeaning(logical)) ?? convertedMeaning(whole(element, 6), element)
}

function decimal(scale: number): Meaning {
  if (!(scale >= 0 && scale <= MAX_SCALE)) throw new Broken(`a decimal has ${scale} digits after the point`)
  return { kind: 'decimal', scale }
}

/** LogicalType is a union: the number of the one field that is there tells which. */
function logicalMeaning(logical: Struct): Meaning | undefined {
  const [field] = logical.keys()
  const type = field === undefined ? undefined : inner(logical, field)
  if (type === undefined) return undefined
  if (field === 1 || field === 4) return { kind: 'text' }
  if (field === 2) return { kind: 'map' }
  if (field === 3) return { kind: 'list' }
  if (field === 5) return decimal(whole(type, 1) ?? 0)
  if (field === 6) return { kind: 'date' }
  if (field === 7 || field === 8) {
    const [unit] = inner(type, 2)?.keys() ?? []
    const digits = unit === 1 ? 3 : unit === 2 ? 6 : unit === 3 ? 9 : undefined
    if (digits === undefined) throw new Broken('a time has no unit')
    return { kind: field === 7 ? 'time' : 'timestamp', digits }
  }
  if (field === 10) return type.get(2) === false ? { kind: 'unsigned', bits: whole(type, 1) ?? 64 } : { kind: 'none' }
  if (field === 12) return { kind: 'json' }
  if (field === 14) return { kind: 'uuid' }
  if (field === 15) return { kind: 'float16' }
  return undefined
}

function convertedMeaning(converted: number | undefined, element: Struct): Meaning {
  switch (converted) {
    case 0:
    case 4:
      return { kind: 'text' }
    case 1:
    case 2:
      return { kind: 'map' }
    case 3:
      return { kind: 'list' }
    case 5:
      return decimal(whole(element, 7) ?? 0)
    case 6:
      return { kind: 'date' }
    case 7:
      return { kind: 'time', digits: 3 }
    case 8:
      return { kind: 'time', digits: 6 }
    case 9:
      return { kind: 'timestamp', digits: 3 }
    case 10:
      return { kind: 'timestamp', digits: 6 }
    case 11:
    case 12:
    case 13:
    case 14:
      return { kind: 'unsigned', bits: 8 << (converted - 11) }
    case 19:
      return { kind: 'json' }
    case 21:
      return { kind: 'interval' }
    default:
      return { kind: 'none' }
  }
}
