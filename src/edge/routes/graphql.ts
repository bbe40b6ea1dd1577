import { projectedTopics } from '../../projections/index.ts'
import { authenticate, credentialsOf, type Principal } from '../auth/authenticate.ts'
import { requireType } from '../body.ts'
import { graphiqlPage, wantsPage } from '../graphql/graphiql.ts'
import type { Problem } from '../problem.ts'
import { reachMinPosition } from '../reach.ts'
import type { Reply, Request, Route } from '../router.ts'

/*
 * GraphQL is a quarter of all that an edge has to load, so it is loaded when somebody asks for it: a service starts sooner.
 */

const NOBODY: Principal = { id: '', name: '', scopes: [], rateLimit: null, expiresAt: null, gone: () => false }

async function identify({ exchange, services }: Omit<Request, 'principal'>): Promise<Principal> {
  if (wantsPage({ exchange })) return NOBODY
  return authenticate(credentialsOf(exchange), services.access, services.tokens)
}

async function answer(request: Request): Promise<Reply | undefined> {
  await reachMinPosition(request, projectedTopics)
  const { answerGraphql } = await import('../graphql/server.ts')
  return answerGraphql(request)
}

/** What GraphQL clients look for, and what all others do. */
function refused(body: Problem['body']): object {
  const { code, message, details, request_id } = body.error
  return { errors: [{ message, extensions: { code, details, request_id } }], ...body }
}

const post: Route = {
  method: 'POST',
  path: '/graphql',
  // What it needs depends on what is asked.
  auth: 'none',
  limit: 'api',
  identify,
  refused,
  async handle(request) {
    requireType(request.exchange, 'application/json')
    return answer(request)
  },
}

/** A query in the URL or, for a browser, a page to write one in. */
const get: Route = {
  method: 'GET',
  path: '/graphql',
  auth: 'none',
  limit: 'api',
  identify,
  refused,
  handle: request => (wantsPage(request) ? graphiqlPage(request) : answer(request)),
}

const sdl: Route = {
  method: 'GET',
  path: '/graphql/schema',
  auth: 'none',
  limit: 'api',
  async handle() {
    const { shownSchema } = await import('../graphql/schema.ts')
    return { status: 200, headers: { 'Content-Type': 'text/plain; charset=utf-8' }, body: shownSchema() }
  },
}

export const graphql: readonly Route[] = [post, get, sdl]
