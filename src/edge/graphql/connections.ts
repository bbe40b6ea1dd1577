import { invalid } from '../../kernel/errors.ts'
import type { Row } from '../../kernel/projection.ts'
import { PAGE_BYTES, rowBytes } from '../../store/store.ts'
import { cursorAfter, DEFAULT_PAGE, MAX_PAGE, readCursor } from '../routes/pages.ts'

/** The arguments of a connection. */
export interface PageArgs {
  readonly first?: number | null
  readonly after?: string | null
}

/** What they come to. */
export interface PageAsked {
  readonly first: number
  /** The last key of the page before. */
  readonly after: string | undefined
}

export interface Edge<Node> {
  readonly cursor: string
  readonly node: Node
}

export interface Connection<Node> {
  readonly edges: readonly Edge<Node>[]
  readonly nodes: readonly Node[]
  readonly pageInfo: {
    readonly hasNextPage: boolean
    readonly hasPreviousPage: boolean
    readonly startCursor: string | null
    readonly endCursor: string | null
  }
}

/** Throws VALIDATION_ERROR. */
export function readPage({ first, after }: PageArgs): PageAsked {
  return { first: wanted(first ?? DEFAULT_PAGE, 'first'), after: after ? readCursor(after, 'after') : undefined }
}

/** Throws VALIDATION_ERROR for a size of page that none has. */
export function wanted(size: number, field: string): number {
  if (Number.isInteger(size) && size >= 0 && size <= MAX_PAGE) return size
  throw invalid(field, `expected a whole number from 0 to ${MAX_PAGE}, got ${size}`)
}

/** A connection of edges that are there; `more` says whether others follow. */
export function connectionOf<Node>(
  edges: readonly Edge<Node>[],
  { after }: PageAsked,
  more: boolean,
): Connection<Node> {
  return {
    edges,
    nodes: edges.map(({ node }) => node),
    pageInfo: {
      hasNextPage: more,
      hasPreviousPage: after !== undefined,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  }
}

/**
 * A connection of rows in the order of `column`. `read` gives as many as it is told, or a page's worth of text: it is asked
 * for one more than is wanted, which tells whether there are more.
 */
export async function connectRows<Node>(
  asked: PageAsked,
  column: string,
  read: (limit: number, after: string | undefined) => Promise<readonly Row[]>,
  nodeOf: (row: Row) => Node,
): Promise<Connection<Node>> {
  const rows = await read(asked.first + 1, asked.after)
  const full = rows.reduce((sum, row) => sum + rowBytes(row), 0) >= PAGE_BYTES
  const shown = rows.slice(0, asked.first)
  const edges = shown.map(row => ({ cursor: cursorAfter(row[column] as string), node: nodeOf(row) }))
  return connectionOf(edges, asked, rows.length > asked.first || full)
}

/** The types of a connection, as SDL. */
export function connectionTypes(node: string, many: string, more = ''): string {
  return `
    """A page of ${many}, and where the next one begins."""
    type ${node}Connection {
      """The ${many} of this page, each with its cursor."""
      edges: [${node}Edge!]!
      """The same without cursors."""
      nodes: [${node}!]!
      """Whether there are more, and where they begin."""
      pageInfo: PageInfo!
      ${more}
    }
    """One of a page's ${many}."""
    type ${node}Edge {
      """Give it as \`after\` to get what follows this one."""
      cursor: String!
      """What it is."""
      node: ${node}!
    }`
}

/** How arguments of connections are written. */
export const PAGE_ARGS = `
      """How many at most: from 0 to ${MAX_PAGE}."""
      first: Int = ${DEFAULT_PAGE},
      """The cursor to go on after."""
      after: String`

export const pageInfoType = `
  """Where a page of a connection is among all."""
  type PageInfo {
    """Whether more follow."""
    hasNextPage: Boolean!
    """Whether this page was asked for with \`after\`: what came before it was there."""
    hasPreviousPage: Boolean!
    """The cursor of its first."""
    startCursor: String
    """The cursor of its last: give it as \`after\`."""
    endCursor: String
  }`

const SNAKE = /_([a-z])/g

/** An object of the REST API under the names that fields have in GraphQL. */
export function camel(shown: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(shown).map(([name, value]) => [camelName(name), value]))
}

export function camelName(name: string): string {
  return name.replace(SNAKE, (_, letter: string) => letter.toUpperCase())
}

/** How a moment in the past is asked for. */
export const AS_OF = `
      """The state at this position or time; the one of now unless given."""
      asOf: String`
