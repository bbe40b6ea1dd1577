import { whole } from './settings.ts'

/** What a GraphQL query may ask for at most. */
export const graphqlSettings = {
  graphqlLength: whole(
    'MAX_GRAPHQL_LENGTH',
    200_000,
    'longest GraphQL query, in characters, without its variables',
    100,
  ),
  graphqlTokens: whole('MAX_GRAPHQL_TOKENS', 5000, 'most tokens of a GraphQL query', 100, 100_000),
  graphqlDepth: whole('MAX_GRAPHQL_DEPTH', 20, 'how many levels of fields a GraphQL query may have', 1, 200),
  graphqlAliases: whole('MAX_GRAPHQL_ALIASES', 50, 'most aliases of a GraphQL query', 0),
  graphqlDirectives: whole('MAX_GRAPHQL_DIRECTIVES', 50, 'most directives of a GraphQL query', 0),
  graphqlCost: whole(
    'MAX_GRAPHQL_COST',
    50_000,
    'values that a GraphQL query may ask for: what is in a connection counts as often as it asks for',
    1,
  ),
  graphqlAnswerLength: whole(
    'MAX_GRAPHQL_ANSWER_LENGTH',
    33_554_432,
    'characters of rows that one GraphQL answer may be made of, and of JSON in it',
    65_536,
  ),
} as const
