import { SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry'
import type { TopicSpec } from './log.ts'

/** Event schemas in a Confluent-compatible registry. */
export function createSchemas(registryUrl: string) {
  const registry = new SchemaRegistry({ host: registryUrl })
  const ids = new Map<string, number>()

  /**
   * Registers a schema of one of a topic's records and returns its id: under `<topic>-value` where a topic has one kind
   * of record, so that clients with the default subject strategy find it, else under `<topic>-<record's full name>`.
   */
  async function registerOne({ name: topic, records }: TopicSpec, record: string, schema: object): Promise<number> {
    const subject = records.length === 1 ? `${topic}-value` : `${topic}-superinsight.sync.${record}`
    const { id } = await registry.register({ type: SchemaType.AVRO, schema: JSON.stringify(schema) }, { subject })
    return id
  }

  return {
    registerOne,
    /** Registers today's schema of each topic's records. */
    async register(topics: readonly TopicSpec[], schemas: Readonly<Record<string, object>>): Promise<void> {
      for (const topic of topics) {
        for (const record of topic.records) {
          const schema = schemas[record]
          if (!schema)
            throw new Error(`topics/${topic.name}.yaml names the record ${record}, which schemas/ does not have`)
          ids.set(record, await registerOne(topic, record, schema))
        }
      }
    },
    idOf(type: string): number {
      const id = ids.get(type)
      if (id === undefined) throw new Error(`the schema of ${type} was not declared`)
      return id
    },
    async byId(id: number): Promise<object> {
      const response = await fetch(`${registryUrl}/schemas/ids/${id}`, { signal: AbortSignal.timeout(10_000) })
      if (!response.ok) throw new Error(`the schema registry answers ${response.status} for schema ${id}`)
      const { schema } = (await response.json()) as { schema: string }
      return JSON.parse(schema)
    },
  }
}
