import { COMPATIBILITY, SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry'
import { DomainError } from '../kernel/errors.ts'
import type { TopicSpec } from './log.ts'
import { openSchemaCache } from './schema-cache.ts'
import { incompatibilities } from './schema-diff.ts'

/**
 * Events are kept for ever and read by services that follow at their own pace: every version must be readable by every
 * other, in both directions.
 */
const LEVEL = 'FULL_TRANSITIVE'
const ANSWER_MS = 10_000
const TRIES = 10
const AGAIN_MS = 200
const JSON_TYPE = 'application/vnd.schemaregistry.v1+json'

/**
 * Event schemas in a Confluent-compatible registry, whose answers are kept in `cacheFile`. Its address may hold a user and
 * a password, which are never shown.
 */
export function createSchemas(registryUrl: string, cacheFile: string) {
  const { host, headers, auth } = addressOf(registryUrl)
  const cache = openSchemaCache(cacheFile, host)
  const registry = new SchemaRegistry({ host, ...(auth ? { auth } : {}) })
  const ids = new Map<string, number>()

  async function ask(path: string, init: RequestInit = {}): Promise<Response> {
    try {
      return await fetch(`${host}${path}`, { ...init, headers, signal: AbortSignal.timeout(ANSWER_MS) })
    } catch (error) {
      throw new Unreachable(`the schema registry at ${host} cannot be reached: ${reasonOf(error)}`)
    }
  }

  async function register(subject: string, record: string, schema: object): Promise<number> {
    const config = await ask(`/config/${encodeURIComponent(subject)}`)
    if (config.status >= 500) throw new Unreachable(`the schema registry at ${host} answers ${config.status}`)
    const level = config.ok ? ((await config.json()) as { compatibilityLevel: string }).compatibilityLevel : undefined
    if (level !== undefined && level !== LEVEL) {
      const body = JSON.stringify({ compatibility: LEVEL })
      await ask(`/config/${encodeURIComponent(subject)}`, { method: 'PUT', body })
    }
    const given = { type: SchemaType.AVRO, schema: JSON.stringify(schema) } as const
    for (let left = TRIES; ; left--) {
      try {
        const { id } = await registry.register(given, { subject, compatibility: COMPATIBILITY[LEVEL] })
        return id
      } catch (error) {
        const refused = await refusal(subject, record, schema, error as Error)
        // Another process registers the same at the same time: what one of the two is refused works a moment later.
        if (left === 0 || refused instanceof DomainError) throw refused
        await new Promise(resolve => setTimeout(resolve, AGAIN_MS))
      }
    }
  }

  /** The registry's refusal, with the fields that are at fault: registries tell of them each in its own way, or not at all. */
  async function refusal(subject: string, record: string, schema: object, error: Error): Promise<Error> {
    const latest = await ask(`/subjects/${encodeURIComponent(subject)}/versions/latest`)
    const before = latest.ok ? JSON.parse(((await latest.json()) as { schema: string }).schema) : schema
    const fields = incompatibilities(before, schema)
    if (fields.length === 0) return new Error(`${record} could not be registered under ${subject}: ${error.message}`)
    const message = `${record} does not fit what ${subject} holds in the schema registry (${LEVEL}): ${fields.join('; ')}`
    return new DomainError('VALIDATION_ERROR', message)
  }

  function subjectOf({ name: topic, records }: TopicSpec, record: string): string {
    return records.length === 1 ? `${topic}-value` : `${topic}-superinsight.sync.${record}`
  }

  return {
    /** Registers a schema of one of a topic's records, today's or an earlier one, and returns its id. */
    registerOne: (topic: TopicSpec, record: string, schema: object) =>
      register(subjectOf(topic, record), record, schema),
    /**
     * Registers each topic's records: under `<topic>-value` where a topic has one kind of record, so that clients with
     * the default subject strategy find it, else under `<topic>-<record's full name>`. Without the registry what it said
     * before serves.
     */
    async register(topics: readonly TopicSpec[], schemas: Readonly<Record<string, object>>): Promise<void> {
      for (const topic of topics) {
        for (const record of topic.records) {
          const schema = schemas[record]
          if (!schema)
            throw new Error(`topics/${topic.name}.yaml names the record ${record}, which schemas/ does not have`)
          const subject = subjectOf(topic, record)
          try {
            const id = await register(subject, record, schema)
            cache.keep(id, schema, subject)
            ids.set(record, id)
          } catch (error) {
            const known = error instanceof Unreachable ? cache.idOf(subject, schema) : undefined
            if (known === undefined) throw error
            ids.set(record, known)
          }
        }
      }
    },
    /** The types that were registered, with their ids. */
    known: () => ids.entries(),
    idOf(type: string): number {
      const id = ids.get(type)
      if (id === undefined) throw new Error(`the schema of ${type} was not declared`)
      return id
    },
    async byId(id: number): Promise<object> {
      const known = cache.byId(id)
      if (known) return known
      const response = await ask(`/schemas/ids/${id}`)
      if (!response.ok) throw new Error(`the schema registry at ${host} answers ${response.status} for schema ${id}`)
      const schema = JSON.parse(((await response.json()) as { schema: string }).schema) as object
      cache.keep(id, schema)
      return schema
    },
  }
}

class Unreachable extends DomainError {
  constructor(message: string) {
    super('UNAVAILABLE', message, { retryAfter: 5 })
  }
}

/** An address without its credentials, and those apart. */
function addressOf(url: string) {
  const address = new URL(url)
  const [username, password] = [decodeURIComponent(address.username), decodeURIComponent(address.password)]
  address.username = ''
  address.password = ''
  const host = address.href.replace(/\/$/, '')
  const headers: Record<string, string> = { 'content-type': JSON_TYPE, accept: `${JSON_TYPE}, application/json` }
  if (!username) return { host, headers, auth: undefined }
  headers.authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
  return { host, headers, auth: { username, password } }
}

function reasonOf(error: unknown): string {
  const { message, cause } = error as Error
  return cause instanceof Error ? cause.message || (cause as NodeJS.ErrnoException).code || message : message
}
