import { type Answer, type Call, call, type Target } from './api.ts'

export interface GraphqlError {
  message: string
  path?: (string | number)[]
  locations?: { line: number; column: number }[]
  extensions: { code: string; details: { field: string; message: string }[]; request_id: string }
}

export interface GraphqlAnswer<Data = Record<string, unknown>> {
  data?: Data | null
  errors?: GraphqlError[]
}

/** Asks a query; the answer, whatever it is. */
export function graphql<Data = Record<string, unknown>>(
  target: Target,
  query: string,
  variables: object = {},
  request: Call = {},
): Promise<Answer<GraphqlAnswer<Data>>> {
  return call<GraphqlAnswer<Data>>(target, '/graphql', { body: { query, variables }, ...request })
}

/** The data of a query that nothing is wrong with. */
export async function ask<Data = Record<string, unknown>>(
  target: Target,
  query: string,
  variables: object = {},
): Promise<Data> {
  const { status, body, text } = await graphql<Data>(target, query, variables)
  if (status !== 200 || body?.errors || !body?.data) throw new Error(`${status} ${text.slice(0, 2000)}`)
  return body.data
}

/** The first error of a query that something is wrong with, and its status. */
export async function refusal(target: Target, query: string, variables: object = {}, request: Call = {}) {
  const { status, body, text } = await graphql(target, query, variables, request)
  const error = body?.errors?.[0]
  if (!error) throw new Error(`nothing was wrong: ${status} ${text.slice(0, 2000)}`)
  const { code, details, request_id } = error.extensions
  return { status, code, message: error.message, field: details[0]?.field, request_id, error, data: body.data }
}

export interface Connected<Node> {
  edges: { cursor: string; node: Node }[]
  nodes: Node[]
  pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor: string | null; endCursor: string | null }
  totalCount?: number
}

/** Every node of a connection, page by page. `field` has `first: $first, after: $after` and selects `fields` of each. */
export async function allNodes<Node>(
  target: Target,
  field: (args: string, page: string) => string,
  fields: string,
  first: number,
  onPage: (nodes: readonly Node[]) => Promise<void> | void = () => undefined,
): Promise<Node[]> {
  const found: Node[] = []
  const page = `edges { cursor node { ${fields} } } pageInfo { hasNextPage endCursor }`
  const query = `query Page($first: Int!, $after: String) { ${field('first: $first, after: $after', page)} }`
  for (let after: string | null = null; ; ) {
    const data: Record<string, Connected<Node>> = await ask(target, query, { first, after })
    const connection: Connected<Node> = Object.values(data)[0]!
    const nodes = connection.edges.map(({ node }) => node)
    found.push(...nodes)
    await onPage(nodes)
    if (!connection.pageInfo.hasNextPage) return found
    after = connection.pageInfo.endCursor
  }
}
