interface Field {
  name: string
  type: unknown
  default?: unknown
}

/**
 * Why readers of one of two versions of an Avro record could not read what writers of the other wrote, in words that
 * name the field; empty when they can, both ways. By Avro's rules for resolving records: a field that one side lacks
 * needs a default on the side that has it, and types must be the same or promote one to the other; promotion works one
 * way only, so a changed type never passes here, but for a union that has grown.
 */
export function incompatibilities(before: object, after: object): string[] {
  const [old, now] = [fieldsOf(before), fieldsOf(after)]
  const found: string[] = []
  for (const [name, field] of old) {
    const kept = now.get(name)
    if (!kept && !('default' in field)) found.push(`field "${name}" was removed, and had no default`)
    if (kept && !sameType(field.type, kept.type))
      found.push(`field "${name}" changed its type from ${JSON.stringify(field.type)} to ${JSON.stringify(kept.type)}`)
  }
  for (const [name, field] of now) {
    if (!old.has(name) && !('default' in field)) found.push(`field "${name}" was added without a default`)
  }
  return found
}

function fieldsOf(schema: object): Map<string, Field> {
  const { fields = [] } = schema as { fields?: Field[] }
  return new Map(fields.map(field => [field.name, field]))
}

/** Types without what does not count when data is read: docs and logical types. */
function sameType(a: unknown, b: unknown): boolean {
  return JSON.stringify(bare(a)) === JSON.stringify(bare(b))
}

function bare(type: unknown): unknown {
  if (Array.isArray(type)) return type.map(bare)
  if (typeof type !== 'object' || type === null) return type
  const { doc: _doc, logicalType: _logical, ...rest } = type as Record<string, unknown>
  const kept = Object.entries(rest).map(([name, value]) => [
    name,
    name === 'type' || name === 'items' ? bare(value) : value,
  ])
  return kept.length === 1 && kept[0]![0] === 'type' ? kept[0]![1] : Object.fromEntries(kept)
}
