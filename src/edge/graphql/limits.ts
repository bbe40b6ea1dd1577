import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLNamedType,
  type GraphQLSchema,
  getNamedType,
  isInterfaceType,
  isObjectType,
  Kind,
  Lexer,
  type OperationDefinitionNode,
  parse,
  type SelectionSetNode,
  Source,
  TokenKind,
} from 'graphql'
import type { GraphQLParams } from 'graphql-yoga'
import type { Config } from '../../config.ts'
import { DomainError, invalid } from '../../kernel/errors.ts'
import { DEFAULT_PAGE, MAX_PAGE } from '../routes/pages.ts'

type Limits = Pick<
  Config,
  'graphqlLength' | 'graphqlTokens' | 'graphqlDepth' | 'graphqlCost' | 'graphqlAliases' | 'graphqlDirectives'
>

/** Brackets of any kind in one another: the parser calls itself for each, and a stack has an end. */
const MAX_NESTING = 250
const OPENS: readonly string[] = [TokenKind.BRACE_L, TokenKind.BRACKET_L, TokenKind.PAREN_L]
const CLOSES: readonly string[] = [TokenKind.BRACE_R, TokenKind.BRACKET_R, TokenKind.PAREN_R]

function hold(name: string, unit: string, value: number, limit: number): void {
  if (value <= limit) return
  const message = `the query has ${value} ${unit}, more than ${limit}`
  throw new DomainError('VALIDATION_ERROR', message, { details: [{ field: `query.${name}`, message }] })
}

/**
 * Parses a query. Throws VALIDATION_ERROR, with the limit and the value, for one that is too long or has too many aliases,
 * directives, tokens or brackets: before there is anything of it, for all that follows takes longer the more there is.
 */
export function parseWithin(limits: Limits, query: string): DocumentNode {
  hold('length', 'characters', query.length, limits.graphqlLength)
  const lexer = new Lexer(new Source(query))
  let [tokens, aliases, directives, nesting, deepest, parentheses] = [0, 0, 0, 0, 0, 0]
  while (lexer.advance().kind !== TokenKind.EOF) {
    const { kind } = lexer.token
    tokens++
    if (OPENS.includes(kind)) deepest = Math.max(deepest, ++nesting)
    else if (CLOSES.includes(kind)) nesting--
    if (kind === TokenKind.PAREN_L) parentheses++
    else if (kind === TokenKind.PAREN_R) parentheses--
    // Within parentheses it is an argument's.
    else if (kind === TokenKind.COLON && parentheses === 0) aliases++
    else if (kind === TokenKind.AT) directives++
  }
  hold('aliases', 'aliases', aliases, limits.graphqlAliases)
  hold('directives', 'directives', directives, limits.graphqlDirectives)
  hold('tokens', 'tokens', tokens, limits.graphqlTokens)
  hold('nesting', 'brackets open at once', deepest, MAX_NESTING)
  return parse(query)
}

/** What a part of a query comes to. */
interface Size {
  /** Levels of fields. */
  readonly depth: number
  /** Values that the answer may have. */
  readonly cost: number
}

const NOTHING: Size = { depth: 0, cost: 0 }

/** What is read for a page, whatever is on it. */
const PAGE_COST = 10
/** Fields that look at more than they give. */
const EXTRA: Readonly<Record<string, number>> = { 'Query.events': 5000 }

/**
 * Refuses a query that nests too deep, asks for too large pages or may give too much: before it is validated. Throws
 * VALIDATION_ERROR with the limit and the value.
 */
export function checkDocument(
  schema: GraphQLSchema,
  limits: Limits,
  document: DocumentNode,
  { operationName, variables }: Pick<GraphQLParams, 'operationName' | 'variables'>,
): void {
  const operations = document.definitions.filter(each => each.kind === Kind.OPERATION_DEFINITION)
  const sizeOf = measurer(schema, document, variables ?? {})
  for (const operation of operations) {
    const { depth, cost } = sizeOf(operation)
    // Whichever of them it names, all are validated; one is done.
    hold('depth', 'levels', depth, limits.graphqlDepth)
    const asked = !operationName || operation.name?.value === operationName
    if (asked) hold('cost', 'values to give at most', cost, limits.graphqlCost)
  }
}

function measurer(
  schema: GraphQLSchema,
  document: DocumentNode,
  variables: Readonly<Record<string, unknown>>,
): (operation: OperationDefinitionNode) => Size {
  const fragments = new Map<string, FragmentDefinitionNode>()
  for (const each of document.definitions)
    if (each.kind === Kind.FRAGMENT_DEFINITION) fragments.set(each.name.value, each)
  const defaults = new Map(
    document.definitions
      .flatMap(each => (each.kind === Kind.OPERATION_DEFINITION ? (each.variableDefinitions ?? []) : []))
      .map(({ variable, defaultValue }) => [variable.name.value, defaultValue]),
  )
  const known = new Map<string, Size>()

  /** How many a connection is asked for; what is no number is for validation to refuse. Throws past the largest page. */
  function wantedOf(field: FieldNode): number {
    let wanted = 0
    const given = field.arguments?.filter(({ name }) => name.value === 'first' || name.value === 'last') ?? []
    for (const { name, value } of given) {
      const passed = value.kind === Kind.VARIABLE ? variables[value.name.value] : undefined
      const literal = value.kind === Kind.VARIABLE ? defaults.get(value.name.value) : value
      const size =
        typeof passed === 'number' ? passed : literal?.kind === Kind.INT ? Number(literal.value) : DEFAULT_PAGE
      if (size < 0 || size > MAX_PAGE)
        throw invalid(name.value, `${field.name.value}: expected a whole number from 0 to ${MAX_PAGE}, got ${size}`)
      wanted = Math.max(wanted, size)
    }
    return given.length === 0 ? DEFAULT_PAGE : wanted
  }

  function ofField(field: FieldNode, parent: GraphQLNamedType | undefined): Size {
    const name = field.name.value
    const type = typeOf(schema, parent, name)
    const inner = field.selectionSet ? ofSelections(field.selectionSet, type) : NOTHING
    const connects = type?.name.endsWith('Connection') ?? false
    const own = 1 + (connects ? PAGE_COST : 0) + (EXTRA[`${parent?.name}.${name}`] ?? 0)
    return { depth: inner.depth + 1, cost: own + (connects ? wantedOf(field) : 1) * inner.cost }
  }

  function ofFragment(name: string): Size {
    const fragment = fragments.get(name)
    if (!fragment) return NOTHING
    let size = known.get(name)
    if (!size) {
      // One that comes back to itself is for validation to refuse.
      known.set(name, NOTHING)
      size = ofSelections(fragment.selectionSet, schema.getType(fragment.typeCondition.name.value))
      known.set(name, size)
    }
    return size
  }

  function ofSelections({ selections }: SelectionSetNode, type: GraphQLNamedType | undefined): Size {
    let { depth, cost } = NOTHING
    for (const each of selections) {
      let size: Size
      if (each.kind === Kind.FIELD) size = ofField(each, type)
      else if (each.kind === Kind.FRAGMENT_SPREAD) size = ofFragment(each.name.value)
      else size = ofSelections(each.selectionSet, schema.getType(each.typeCondition?.name.value ?? '') ?? type)
      depth = Math.max(depth, size.depth)
      cost += size.cost
    }
    return { depth, cost }
  }

  return ({ selectionSet, operation }) => ofSelections(selectionSet, schema.getRootType(operation) ?? undefined)
}

/** The type of a field; undefined for one that there is not. */
function typeOf(
  schema: GraphQLSchema,
  parent: GraphQLNamedType | undefined,
  name: string,
): GraphQLNamedType | undefined {
  if (name === '__schema') return schema.getType('__Schema')
  if (name === '__type') return schema.getType('__Type')
  const field = isObjectType(parent) || isInterfaceType(parent) ? parent.getFields()[name] : undefined
  return field && getNamedType(field.type)
}
