import { z } from 'zod'
import { DomainError, type ErrorDetail } from '../../kernel/errors.ts'
import { membersOf, objectText } from '../../kernel/members.ts'
import type { SecretPath } from '../secrets.ts'
import { cast } from './cast.ts'
import { compute } from './compute.ts'
import { dedupe } from './dedupe.ts'
import { defaults } from './default.ts'
import { drop } from './drop.ts'
import { fieldMapping } from './field-mapping.ts'
import { filter } from './filter.ts'
import { flatten } from './flatten.ts'
import { hash } from './hash.ts'
import { mask } from './mask.ts'
import { rename } from './rename.ts'
import { select } from './select.ts'
import type { Refusal, Row, Step, Transformation, TransformationLimits } from './transformation.ts'

export type { Refusal, RefusalCode, Transformation, TransformationLimits } from './transformation.ts'

/** Everything that may stand in a list of transformations. */
export const transformations: readonly Transformation[] = [
  fieldMapping,
  rename,
  select,
  drop,
  cast,
  defaults,
  filter,
  flatten,
  mask,
  hash,
  compute,
  dedupe,
]

/** Where in a list of transformations there are secrets; whatever else is wrong with the list. */
export function secretsOf(list: unknown): SecretPath[] {
  if (!Array.isArray(list)) return []
  return list.flatMap((item: { type?: unknown } | null, index) => {
    const secrets = transformations.find(({ name }) => name === item?.type)?.secrets ?? []
    return secrets.map(field => [index, 'config', field])
  })
}

/** Why a row was refused, and by which transformation of the list, from 0. */
export interface RowRefusal extends Refusal {
  readonly index: number
}

export type Transformed = { readonly json: string } | { readonly dropped: true } | { readonly refused: RowRefusal }

/** Takes one row, the JSON text of an object that has been checked, through all transformations. */
export type Transform = (json: string) => Transformed

const DROPPED: Transformed = { dropped: true }

/**
 * Compiles a list of `{type, config}`, once for many runs; the function it gives back starts a push or a run, whose rows
 * dedupe tells apart. A row that no transformation changes comes out as the text it was; of one that is changed, all
 * other fields keep their text and place. Throws a VALIDATION_ERROR with a detail for each fault, whose field is
 * `<field>.<index>.type`, `<field>.<index>.config.…` or `<field>` itself.
 */
export function compileTransformations(
  list: unknown,
  field: string,
  limits: TransformationLimits,
  catalog = transformations,
): () => Transform {
  if (!Array.isArray(list)) throw faulty([{ field, message: 'expected a list of {type, config}' }])
  if (list.length > limits.transformations) {
    const message = `has ${list.length} transformations, more than ${limits.transformations}`
    throw faulty([{ field, message }])
  }
  const details: ErrorDetail[] = []
  const starts = list.map((item, index) => compileOne(item, `${field}.${index}`, limits, catalog, details))
  if (details.length > 0) throw faulty(details)
  const names: string[] = list.map(({ type }) => type)
  return () => {
    const steps = starts.map(start => start!())
    return json => transformRow(json, steps, names, limits.rowLength)
  }
}

function transformRow(json: string, steps: readonly Step[], names: readonly string[], maxLength: number): Transformed {
  if (steps.length === 0) return { json }
  const row: Row = { fields: membersOf(json) }
  let changed = false
  for (let index = 0; index < steps.length; index++) {
    const done = steps[index]!(row)
    if (done === 'changed') changed = true
    else if (done === 'dropped') return DROPPED
    else if (done !== 'same') return refusedBy(index, names, done)
  }
  if (!changed) return { json }
  const text = objectText(row.fields)
  if (text.length <= maxLength) return { json: text }
  const message = `the row has become ${text.length} characters long, more than ${maxLength}`
  return refusedBy(steps.length - 1, names, { code: 'TOO_LONG', field: null, message })
}

function refusedBy(index: number, names: readonly string[], { code, field, message }: Refusal): Transformed {
  return { refused: { code, field, message: `transformations.${index} (${names[index]}): ${message}`, index } }
}

const shape = z.strictObject({ type: z.string(), config: z.unknown().optional() })

function compileOne(
  item: unknown,
  at: string,
  limits: TransformationLimits,
  catalog: readonly Transformation[],
  details: ErrorDetail[],
): (() => Step) | undefined {
  const { success, data, error } = shape.safeParse(item)
  if (!success) {
    details.push(...faultsOf(error, at))
    return undefined
  }
  const entry = catalog.find(({ name }) => name === data.type)
  if (!entry) {
    const known = catalog.map(({ name }) => name).join(', ')
    details.push({ field: `${at}.type`, message: `"${data.type.slice(0, 60)}" is none of ${known}` })
    return undefined
  }
  const config = entry.config.safeParse(data.config ?? {})
  if (!config.success) {
    details.push(...faultsOf(config.error, `${at}.config`))
    return undefined
  }
  try {
    return entry.compile(config.data, limits)
  } catch (fault) {
    if (!(fault instanceof DomainError)) throw fault
    const faults = fault.details.length > 0 ? fault.details : [{ field: '', message: fault.message }]
    for (const { field, message } of faults) details.push({ field: dotted([`${at}.config`, field]), message })
    return undefined
  }
}

/** One detail for each thing that is wrong, with its dotted path. */
function faultsOf(error: z.ZodError, at: string): ErrorDetail[] {
  return error.issues.map(({ path, message, code, ...more }) => {
    // An unknown key is named by its own path, not by that of the object around it.
    const keys = code === 'unrecognized_keys' ? (more as { keys: string[] }).keys.slice(0, 1) : []
    return { field: dotted([at, ...path, ...keys]), message }
  })
}

function dotted(path: readonly PropertyKey[]): string {
  return path.map(String).filter(Boolean).join('.')
}

function faulty(details: readonly ErrorDetail[]): DomainError {
  const [{ field, message }] = details as [ErrorDetail]
  return new DomainError('VALIDATION_ERROR', `${field}: ${message}`, { details })
}
