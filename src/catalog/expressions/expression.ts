import { numberThatChanges, replaceChangingNumbers } from '../../kernel/decimal.ts'
import { DomainError } from '../../kernel/errors.ts'
import { objectText, quoted } from '../../kernel/members.ts'
import { compilePattern } from '../patterns.ts'
import { readsOf } from './reads.ts'
import { currentRealm, type Evaluated, type SyntaxFault } from './realm.ts'

export type { Evaluated } from './realm.ts'

/** Applies an expression to a row; `inexact` names a field whose digits JSONata's numbers cannot hold. */
export type Evaluate = (fields: ReadonlyMap<string, string>) => Evaluated | { readonly inexact: string }

const MAX_LENGTH = 4000

/**
 * Compiles a JSONata expression. Evaluating is synchronous and bounded: in steps, depth, the size of values and the work
 * of patterns, and by `timeoutMs` on the clock. Numbers are JavaScript's: a row whose named field has one that would
 * be rounded is told by `inexact`; in fields that only a look at the whole row sees, such numbers are text.
 * Throws a VALIDATION_ERROR without a field.
 */
export function compileExpression(expression: string, timeoutMs: number): Evaluate {
  if (expression.length > MAX_LENGTH) throw refused(`is longer than ${MAX_LENGTH} characters`)
  let realm = currentRealm()
  let parsed = parse(expression, timeoutMs)
  const reads = readsOf(parsed.tree)
  if (!reads) throw refused('is nested too deep')
  const { names, wholeRow, slow, evaluates, patterns } = reads
  if (evaluates) throw refused('calls $eval, which cannot be used here')
  for (const { source, flags } of patterns) compilePattern(source, flags)

  function input(fields: ReadonlyMap<string, string>): { json: string } | { inexact: string } {
    const wanted = new Map<string, string>()
    for (const [name, value] of fields) {
      const named = names.has(name)
      if (!named && !wholeRow) continue
      if (named && numberThatChanges(value) !== undefined) return { inexact: name }
      wanted.set(name, named ? value : replaceChangingNumbers(value, quoted))
    }
    return { json: objectText(wanted) }
  }

  return fields => {
    if (realm !== currentRealm()) {
      realm = currentRealm()
      parsed = parse(expression, timeoutMs)
    }
    const row = input(fields)
    return 'inexact' in row ? row : parsed.evaluate(row.json, slow)
  }
}

function parse(expression: string, timeoutMs: number) {
  try {
    return currentRealm().parse(expression, timeoutMs)
  } catch (error) {
    const { message, position } = error as SyntaxFault
    throw refused(`cannot be read${position === undefined ? '' : ` at character ${position}`}: ${message}`)
  }
}

function refused(why: string): DomainError {
  return new DomainError('VALIDATION_ERROR', `the expression ${why}`)
}
