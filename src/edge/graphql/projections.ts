import { findProjection, requestRebuild, shownProjection, shownProjections } from '../projections.ts'
import { camel } from './connections.ts'
import type { Context } from './context.ts'
import { nullIfMissing } from './missing.ts'

export const projectionTypes = `
  extend type Query {
    """The read models, with how far each is."""
    projections: [Projection!]
    """One read model; null when there is none of this name."""
    projection("Its name." name: String!): Projection
  }
  extend type Mutation {
    """Has a read model made anew beside the one that is read; needs the scope sync:admin."""
    rebuildProjection("Its name." name: String!): Projection
  }
  """A read model: what queries read, made of events."""
  type Projection {
    """Its name."""
    name: String!
    """Includes everything that its rows do."""
    position: String!
    """Events that are not in its rows yet."""
    lag: Long!
    """The version of the code that has made the rows."""
    version: Int!
    """The rebuild under way."""
    rebuild: Rebuild
    """How the last rebuild ended, and what it found: id, state, reason, requested_at, ended_at, compared, error."""
    lastRebuild: JSON
  }
  """A read model that is being made anew."""
  type Rebuild {
    """Its id."""
    id: ID!
    """queued, filling, comparing or swapping."""
    state: String!
    """In percent; null while it has not begun."""
    progress: Float
    """Events that it has yet to take in."""
    lag: Long
    """Why it is made."""
    reason: String!
    """When it was asked for."""
    requestedAt: DateTime!
    """When it began."""
    startedAt: DateTime
  }`

function projectionSource({ rebuild, ...shown }: { readonly rebuild: object | null }) {
  return { ...camel(shown), rebuild: rebuild && camel(rebuild) }
}

async function one({ asked }: Context, name: string) {
  const { services } = asked.request
  const projection = findProjection(name)
  await services.rebuilds.caughtUp()
  return projectionSource(await shownProjection(services, projection))
}

export const projectionResolvers = {
  Query: {
    async projections(_: unknown, __: object, { asked }: Context) {
      const { services } = asked.request
      await services.rebuilds.caughtUp()
      return (await shownProjections(services)).map(projectionSource)
    },
    projection: (_: unknown, { name }: { name: string }, context: Context) => nullIfMissing(one(context, name)),
  },
  Mutation: {
    async rebuildProjection(_: unknown, { name }: { name: string }, context: Context) {
      const { position, rebuild } = await requestRebuild(context.asked.request, name)
      // A short one may be over by now: it is told as it was when it was asked for.
      return { ...(await one(context, name)), position, ...(rebuild ? { rebuild: camel(rebuild) } : {}) }
    },
  },
}
