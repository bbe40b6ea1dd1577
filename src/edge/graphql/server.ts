import { type ExecutionResult, getOperationAST } from 'graphql'
import { createYoga, type GraphQLParams, mapAsyncIterator, type Plugin } from 'graphql-yoga'
import { DomainError } from '../../kernel/errors.ts'
import { type Principal, requireScope } from '../auth/authenticate.ts'
import type { Exchange } from '../exchange.ts'
import { BASE, type Request as EdgeRequest, type Reply } from '../router.ts'
import { type Asked, askedBy } from './context.ts'
import { cacheByText } from './documents.ts'
import { shownError } from './errors.ts'
import { parseExact, stringifyExact } from './json.ts'
import { checkDocument, parseWithin } from './limits.ts'
import { schema } from './schema.ts'
import { streamResults } from './stream.ts'

/** Levels of JSON around a value that was pushed: the request, its variables, a list of records, a record. */
const AROUND = 6
/** Most text of queries that are kept parsed. */
const CACHED_LENGTH = 262_144

type Result = ExecutionResult & { stringify?: typeof stringifyExact }

/** What a request carries through yoga: its own, and what comes of it when that is a stream. */
interface Carried {
  readonly asked: Asked
  readonly outcome: { stream?: AsyncIterable<Result> }
}

/** Query, variables and so on as they came, with every digit of their numbers. Throws VALIDATION_ERROR. */
async function readParams({ exchange, services }: EdgeRequest): Promise<GraphQLParams> {
  const depth = services.config.jsonDepth + AROUND
  if (exchange.method === 'POST') {
    const body = await exchange.body(services.config.bodyBytes)
    if (body.length === 0) throw new DomainError('VALIDATION_ERROR', 'the body is empty; send {"query": "{ … }"}')
    return parseExact(body, depth) as GraphQLParams
  }
  const part = (name: string) => exchange.query.get(name) ?? undefined
  const json = (name: string) => {
    const text = part(name)
    return text === undefined ? undefined : (parseExact(Buffer.from(text), depth) as Record<string, unknown>)
  }
  return {
    query: part('query'),
    operationName: part('operationName'),
    variables: json('variables'),
    extensions: json('extensions'),
  } as GraphQLParams
}

/** A result as it is sent: errors in the words of the API, JSON as its text stands. */
function shownResult(result: Result, asked: Asked): Result {
  const { errors } = result
  const shown = errors?.map(error => shownError(error, asked.request))
  return { ...result, ...(shown ? { errors: shown } : {}), stringify: stringifyExact }
}

/** Throws FORBIDDEN for who may do nothing of the kind; what each mutation needs is asked when it is its turn. */
function requireScopeOf(principal: Principal, operation: string | undefined): void {
  if (operation !== 'mutation') requireScope(principal, 'sync:read')
  else if (!principal.scopes.includes('sync:admin')) requireScope(principal, 'sync:write')
}

const plugin: Plugin<Carried, Carried> = {
  onRequestParse({ serverContext, setRequestParser }) {
    setRequestParser(() => readParams(serverContext.asked.request))
  },
  onParse({ setParseFn, context }) {
    const { asked, params } = context as unknown as Carried & { params: GraphQLParams }
    const { config } = asked.request.services
    setParseFn(source => parseWithin(config, String(source)))
    return ({ result }) => {
      if (result instanceof Error) return
      const operation = getOperationAST(result, params.operationName)?.operation
      requireScopeOf(asked.request.principal, operation)
      if (operation === 'subscription') asked.request.services.live.requireRoom()
      checkDocument(schema, config, result, params)
    }
  },
  onResultProcess({ result, setResult, serverContext, resultProcessor, setResultProcessor }) {
    const { asked } = serverContext
    if (Symbol.asyncIterator in (result as object)) {
      const stream = result as AsyncIterable<Result>
      // Whoever accepts no stream is answered 406, and has subscribed to nothing.
      if (resultProcessor === undefined) return void stream[Symbol.asyncIterator]().return?.()
      serverContext.outcome.stream = stream
      setResultProcessor((_, { Response }) => new Response(null), 'text/event-stream')
    } else if (result !== undefined && !Array.isArray(result)) setResult(shownResult(result as Result, asked))
  },
}

const yoga = createYoga<Carried>({
  schema,
  graphqlEndpoint: `${BASE}/graphql`,
  plugins: [plugin],
  parserAndValidationCache: { documentCache: cacheByText(CACHED_LENGTH), errorCache: cacheByText(CACHED_LENGTH) },
  // The edge does these itself, for all of its routes.
  logging: false,
  maskedErrors: false,
  maxRequestBodySize: false,
  cors: false,
  graphiql: false,
  landingPage: false,
  multipart: false,
  fetchAPI: { Request, Response, Headers, ReadableStream },
})

/** What yoga is told of a request: what it negotiates by, and no credential. */
function fetchRequest(exchange: Exchange): Request {
  const headers: Record<string, string> = {}
  const accept = exchange.header('accept')
  if (accept !== undefined) headers.accept = accept
  const method = exchange.method === 'HEAD' ? 'GET' : exchange.method
  return new Request(`http://localhost${exchange.path}`, { method, headers })
}

/** Answers a GraphQL request: a subscription with an event stream. */
export async function answerGraphql(request: EdgeRequest): Promise<Reply | undefined> {
  const carried: Carried = { asked: askedBy(request), outcome: {} }
  const response = await yoga.fetch(fetchRequest(request.exchange), carried)
  const { stream } = carried.outcome
  if (stream) {
    const shown = mapAsyncIterator(stream, result => shownResult(result, carried.asked))
    await streamResults(request, shown)
    return undefined
  }
  const headers: Record<string, string> = {}
  for (const name of ['content-type', 'allow', 'accept', 'retry-after', 'www-authenticate']) {
    const value = response.headers.get(name)
    if (value !== null) headers[name] = value
  }
  return { status: response.status, headers, body: await response.text() }
}
