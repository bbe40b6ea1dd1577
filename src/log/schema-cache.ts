import { createHash, randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { DomainError } from '../kernel/errors.ts'

/** What a registry has said before, for when it cannot be asked: its ids by schema, and its schemas by id. */
export interface SchemaCache {
  idOf(subject: string, schema: object): number | undefined
  byId(id: number): object | undefined
  keep(id: number, schema: object, subject?: string): void
}

interface Kept {
  registry: string
  /** By subject and the schema's hash. */
  ids: Record<string, number>
  schemas: Record<string, object>
}

/** A cache in a file of DATA_DIR. One that another registry filled counts for nothing: its ids mean other schemas. */
export function openSchemaCache(file: string, registry: string): SchemaCache {
  let kept = read()

  function read(): Kept {
    const nothing = { registry, ids: {}, schemas: {} }
    if (!existsSync(file)) return nothing
    try {
      const found = JSON.parse(readFileSync(file, 'utf8')) as Kept
      return found.registry === registry ? found : nothing
    } catch (error) {
      throw new DomainError('VALIDATION_ERROR', `${file}: is not JSON: ${(error as Error).message}; it may be removed`)
    }
  }

  return {
    idOf: (subject, schema) => kept.ids[keyOf(subject, schema)],
    byId: id => kept.schemas[id],
    keep(id, schema, subject) {
      const key = subject === undefined ? undefined : keyOf(subject, schema)
      if (kept.schemas[id] !== undefined && (key === undefined || kept.ids[key] === id)) return
      // Threads of this process keep theirs in the same file.
      kept = read()
      kept.schemas[id] = schema
      if (key !== undefined) kept.ids[key] = id
      const part = `${file}.${randomUUID()}`
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(part, JSON.stringify(kept), { flush: true })
      renameSync(part, file)
    },
  }
}

function keyOf(subject: string, schema: object): string {
  return `${subject} ${createHash('sha256').update(JSON.stringify(schema)).digest('hex')}`
}
