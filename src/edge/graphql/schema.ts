import { defaultFieldResolver, type GraphQLSchema, getNamedType, isObjectType, printSchema } from 'graphql'
import { createSchema } from 'graphql-yoga'
import { changeResolvers, changeTypes } from './changes.ts'
import { conflictMutations, conflictMutationTypes } from './conflict-mutations.ts'
import { conflictResolvers, conflictTypes } from './conflicts.ts'
import { pageInfoType } from './connections.ts'
import type { Context } from './context.ts'
import { datasetMutations, datasetMutationTypes } from './dataset-mutations.ts'
import { datasetResolvers, datasetTypes } from './datasets.ts'
import { eventFeedResolvers, eventFeedTypes } from './event-feed.ts'
import { eventResolvers, eventTypes } from './events.ts'
import { jobMutations, jobMutationTypes } from './job-mutations.ts'
import { jobResolvers, jobTypes } from './jobs.ts'
import { JsonText, jsonScalar, longScalar, stringifyExact, timeScalar } from './json.ts'
import { logResolvers, logTypes } from './logs.ts'
import { countMutation } from './mutations.ts'
import { projectionResolvers, projectionTypes } from './projections.ts'
import { pushMutations, pushMutationTypes } from './push-mutations.ts'
import { recordResolvers, recordTypes } from './records.ts'
import { versionResolvers, versionTypes } from './versions.ts'

const roots = `
  scalar JSON
  scalar Long
  scalar DateTime
  """What can be read. Everything has a position: its place in the log."""
  type Query {
    """Where the read model is: subscribe with it as since, and nothing is missed."""
    position: String!
  }
  """
  What can be done: the same commands as over REST, one after the other. Each needs the scope sync:write, and counts as a
  request of its own.
  """
  type Mutation`

/** Counts the JSON that fields give, for what was read once may be given many times. */
function counted(schema: GraphQLSchema): GraphQLSchema {
  const types = Object.values(schema.getTypeMap()).filter(isObjectType)
  for (const field of types.flatMap(type => Object.values(type.getFields()))) {
    if (getNamedType(field.type).name !== jsonScalar.name) continue
    const { resolve = defaultFieldResolver } = field
    field.resolve = async (source, args, context: Context, info) => {
      const value: unknown = await resolve(source, args, context, info)
      if (value === null || value === undefined) return value
      const json = value instanceof JsonText ? value : new JsonText(stringifyExact(value))
      context.asked.spend(json.text.length)
      return json
    }
  }
  for (const [name, field] of Object.entries(schema.getMutationType()!.getFields())) {
    const { resolve = defaultFieldResolver } = field
    field.resolve = async (source, args, context: Context, info) => {
      await countMutation(context, name)
      return resolve(source, args, context, info)
    }
  }
  return schema
}

/** The whole schema: a noun a file, a line here. */
const made = createSchema<Context>({
  typeDefs: [
    roots,
    pageInfoType,
    jobTypes,
    logTypes,
    datasetTypes,
    recordTypes,
    versionTypes,
    conflictTypes,
    eventTypes,
    jobMutationTypes,
    conflictMutationTypes,
    datasetMutationTypes,
    pushMutationTypes,
    changeTypes,
    eventFeedTypes,
    projectionTypes,
  ],
  resolvers: [
    { JSON: jsonScalar, Long: longScalar, DateTime: timeScalar },
    { Query: { position: (_: unknown, __: object, { asked }: Context) => asked.request.services.live.hub.position() } },
    jobResolvers,
    logResolvers,
    datasetResolvers,
    recordResolvers,
    versionResolvers,
    conflictResolvers,
    eventResolvers,
    jobMutations,
    conflictMutations,
    datasetMutations,
    pushMutations,
    changeResolvers,
    eventFeedResolvers,
    projectionResolvers,
  ],
})

export const schema = counted(made)

/** The schema as SDL, for those who make clients. */
export const shownSchema = () => `${printSchema(schema)}\n`
