import { invalid } from '../kernel/errors.ts'
import type { Comparison, FieldCondition } from '../store/store.ts'

const CONDITION = /^([^=<>!"]+?)\s*(!=|<=|>=|=|<|>)\s*(.*)$/s
const NAMES = new Map<string, Comparison>(
  Object.entries({ eq: '=', ne: '!=', lt: '<', lte: '<=', gt: '>', gte: '>=' } as const),
)
const MAX_CONDITIONS = 20
const EXAMPLE = 'origin=SFO, delay>=30 or {"origin":"SFO","delay":{"gte":30}}'

/**
 * Reads `where`: conditions on top-level fields of a record's data, all of which must hold. Either
 * `field=value,field>=value`, where a value that reads as JSON is that value and any other is text, or a JSON object of
 * fields to values or to `{eq, ne, lt, lte, gt, gte}`.
 */
export function readWhere(text: string | null): readonly FieldCondition[] {
  if (text === null || text.trim() === '') return []
  const conditions = text.trim().startsWith('{') ? fromJson(text) : text.split(',').map(fromText)
  if (conditions.length > MAX_CONDITIONS)
    throw invalid('where', `has ${conditions.length} conditions, the limit is ${MAX_CONDITIONS}`)
  return conditions
}

function fromText(part: string): FieldCondition {
  const match = CONDITION.exec(part.trim())
  if (!match) throw invalid('where', `"${part.slice(0, 60)}" is not a condition; write for example ${EXAMPLE}`)
  const [, field, comparison, value] = match
  return condition(field!, comparison as Comparison, scalar(value!))
}

/** A value as JSON has it, an integer past 2^53 exactly; text when it is not JSON. */
function scalar(text: string): unknown {
  if (/^-?(0|[1-9]\d*)$/.test(text) && !Number.isSafeInteger(Number(text))) return BigInt(text)
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function fromJson(text: string): FieldCondition[] {
  let parsed: object
  try {
    parsed = JSON.parse(text, (_name, value, context?: { source: string }) =>
      typeof value === 'number' && context ? scalar(context.source) : value,
    )
  } catch (error) {
    throw invalid('where', `is not JSON: ${(error as Error).message.slice(0, 100)}; write for example ${EXAMPLE}`)
  }
  return Object.entries(parsed).flatMap(([field, value]) => {
    if (typeof value !== 'object' || value === null) return [condition(field, '=', value)]
    const operands = Object.entries(value)
    if (operands.length === 0) throw invalid('where', `${field}: has no comparison; write for example ${EXAMPLE}`)
    return operands.map(([name, operand]) => {
      const comparison = NAMES.get(name)
      if (!comparison)
        throw invalid('where', `${field}: ${name.slice(0, 40)} is none of ${[...NAMES.keys()].join(', ')}`)
      return condition(field, comparison, operand)
    })
  })
}

function condition(field: string, comparison: Comparison, value: unknown): FieldCondition {
  if (field.includes('"')) throw invalid('where', 'a field name may not contain a double quote')
  if (field.includes('\0') || (typeof value === 'string' && value.includes('\0')))
    throw invalid('where', 'has a NUL in it, which not every database can compare')
  const plain = value === null || ['string', 'number', 'bigint', 'boolean'].includes(typeof value)
  if (!plain) throw invalid('where', `${field}: expected text, a number, true, false or null`)
  if ((value === null || typeof value === 'boolean') && comparison !== '=' && comparison !== '!=')
    throw invalid('where', `${field}: ${value} can be compared with = and != only`)
  return { column: 'data', field, comparison, value: value as FieldCondition['value'] }
}
