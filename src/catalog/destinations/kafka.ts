import { z } from 'zod'
import { invalid } from '../../kernel/errors.ts'
import { defineDestination, type SinkContext } from './destination.ts'

const config = z.strictObject({
  type: z.literal('kafka'),
  topic: z
    .string()
    .regex(/^[a-zA-Z0-9._-]{1,249}$/, 'expected letters, digits, dots, dashes and underscores, at most 249')
    .refine(topic => topic !== '.' && topic !== '..', 'expected a name')
    .refine(topic => !topic.startsWith('sync.') && !topic.startsWith('__'), 'this is no topic for users'),
  /** A member of the rows by name, or by a JSON pointer. */
  key: z.string().min(1).max(500).optional(),
})

export const kafka = defineDestination({
  type: 'kafka',
  summary: 'A topic of the service’s own Kafka: a message a row, with the row’s id or a member of it as key.',
  config,
  check: async (_config, context) => requireBrokers(context),
  async open({ topic, key }, context) {
    requireBrokers(context)
    // Whoever has no such job carries no client.
    const { openTopicSink } = await import('./kafka/sink.ts')
    return openTopicSink(topic, key, context)
  },
})

function requireBrokers({ brokers }: Pick<SinkContext, 'brokers'>): void {
  if (brokers.length === 0)
    throw invalid('destination.type', 'kafka needs a Kafka: start the service with KAFKA_BROKERS')
}
