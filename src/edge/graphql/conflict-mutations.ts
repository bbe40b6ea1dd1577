import { DomainError, invalid } from '../../kernel/errors.ts'
import { type Decided, decideConflict, reopenConflict } from '../conflict-commands.ts'
import { decisionOf } from '../conflicts.ts'
import { conflictSource } from './conflicts.ts'
import type { Context } from './context.ts'
import type { JsonText } from './json.ts'

export const conflictMutationTypes = `
  extend type Mutation {
    """Decides a conflict that is open."""
    resolveConflict(
      """The conflict's id."""
      id: ID!,
      """Which side stands."""
      resolution: Resolution!,
      """The merged record, for a merge."""
      data: JSON
    ): Conflict
    """Takes a decision back, so that another may be made."""
    reopenConflict("The conflict's id." id: ID!): Conflict
  }
  """Which side of a conflict stands."""
  enum Resolution {
    """What came in."""
    accept_incoming
    """What was there."""
    keep_current
    """What is made of both."""
    merge
  }`

function shown(context: Context, { row, position }: Decided) {
  return conflictSource(context, row, undefined, position)
}

interface ResolveArgs {
  readonly id: string
  readonly resolution: string
  readonly data?: JsonText | null
}

export const conflictMutations = {
  Mutation: {
    async resolveConflict(_: unknown, { id, resolution, data }: ResolveArgs, context: Context) {
      const { request } = context.asked
      const { lineBytes } = request.services.config
      const text = data && data.text !== 'null' ? data.text : undefined
      if (text !== undefined && !text.startsWith('{')) throw invalid('data', 'expected a JSON object')
      if (text !== undefined && text.length > 2 * lineBytes)
        throw new DomainError('PAYLOAD_TOO_LARGE', `data: it has ${text.length} characters, more than ${2 * lineBytes}`)
      return shown(context, await decideConflict(request, id, decisionOf(resolution, text)))
    },
    async reopenConflict(_: unknown, { id }: { id: string }, context: Context) {
      return shown(context, await reopenConflict(context.asked.request, id))
    },
  },
}
