import { transformations as catalog } from '../catalog/transformations/index.ts'
import { invalid } from '../kernel/errors.ts'

/** What stands in a kept configuration where a secret was: its reference in the secret store. */
const MARK = '$secret'
/** What a secret is shown as. Sent back, it keeps the one there is. */
export const HIDDEN = '***'

interface Step {
  readonly type: string
  readonly config?: Record<string, unknown>
}

function secretsOf({ type }: Step): readonly string[] {
  return catalog.find(({ name }) => name === type)?.secrets ?? []
}

function referenceIn(value: unknown): string | undefined {
  return typeof value === 'object' && value !== null ? (value as Record<string, string>)[MARK] : undefined
}

function mapSecrets(list: readonly Step[], change: (value: unknown, index: number, field: string) => unknown): Step[] {
  return list.map((step, index) => {
    const config = { ...step.config }
    for (const field of secretsOf(step)) if (field in config) config[field] = change(config[field], index, field)
    return { ...step, config }
  })
}

/** A list of transformations as it was set, with new secrets put away by `put`, which gives their references. */
export async function hideSecrets(
  list: readonly Step[],
  was: readonly Step[],
  put: (secret: string) => Promise<string>,
): Promise<Step[]> {
  const made = new Map<string, string>()
  for (const [index, step] of list.entries()) {
    for (const field of secretsOf(step)) {
      const value = step.config?.[field]
      if (typeof value === 'string' && value !== HIDDEN) made.set(`${index}.${field}`, await put(value))
    }
  }
  return mapSecrets(list, (value, index, field) => {
    const fresh = made.get(`${index}.${field}`)
    if (fresh !== undefined) return { [MARK]: fresh }
    const before = was[index]
    const kept = before?.type === list[index]!.type ? referenceIn(before.config?.[field]) : undefined
    if (value === HIDDEN && kept === undefined) {
      throw invalid(`transformations.${index}.config.${field}`, `there is no stored secret that "${HIDDEN}" could keep`)
    }
    return value === HIDDEN ? { [MARK]: kept } : value
  })
}

/** The same list as people may see it. */
export function showHidden(list: readonly Step[]): Step[] {
  return mapSecrets(list, value => (referenceIn(value) === undefined ? value : HIDDEN))
}

/** The references that a list holds. */
export function referencesIn(list: readonly Step[]): string[] {
  const found: string[] = []
  mapSecrets(list, value => {
    const reference = referenceIn(value)
    if (reference !== undefined) found.push(reference)
    return value
  })
  return found
}

/** The list with its secrets in their places, ready to be compiled. */
export function revealSecrets(list: readonly Step[], secrets: ReadonlyMap<string, string>): Step[] {
  return mapSecrets(list, value => {
    const reference = referenceIn(value)
    return reference === undefined ? value : secrets.get(reference)
  })
}
