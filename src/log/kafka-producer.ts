import { ConnectionPool, initProducerIdV4, Producer } from '@platformatic/kafka'
import { again, connectToAny, createNumbering, type Numbering, type Part, produceToLeaders } from './kafka-produce.ts'

/** Sends record batches as an idempotent producer (KIP-98), one request to each broker at a time. */
export interface BatchProducer {
  /**
   * Resolves with the last offset in each stream once all in-sync replicas have the parts. While brokers do not answer it
   * sends the same batches again, whose numbers let a broker see a repeat, until the timeout; then it gives up.
   */
  send(parts: readonly Part[]): Promise<Map<string, number>>
  /** How often it has sent the same again so far. */
  readonly retries: number
  stop(): Promise<void>
}

export function createBatchProducer(options: {
  brokers: readonly string[]
  clientId: string
  timeoutMs: number
}): BatchProducer {
  const { clientId, timeoutMs } = options
  const connectionOptions = { connectTimeout: timeoutMs, requestTimeout: timeoutMs }
  const pool = new ConnectionPool(clientId, connectionOptions)
  // Only asked for metadata: who leads which partition.
  const directory = new Producer({ clientId, bootstrapBrokers: [...options.brokers], retries: 0, ...connectionOptions })
  let numbering: Promise<Numbering> | undefined
  let retries = 0

  async function identify(tries: number): Promise<Numbering> {
    const connection = await connectToAny({ pool, directory }, tries > 0)
    const { producerId, producerEpoch } = await initProducerIdV4.api.async(connection, null, timeoutMs, -1n, -1)
    return createNumbering({ id: producerId, epoch: producerEpoch })
  }

  return {
    get retries() {
      return retries
    },
    async send(parts) {
      const end = Date.now() + timeoutMs
      try {
        numbering ??= again(identify, end)
        const numbered = (await numbering).number(parts)
        return await again(tries => {
          if (tries > 0) retries++
          return produceToLeaders({ pool, directory, timeoutMs }, numbered, tries > 0)
        }, end)
      } catch (error) {
        // Whether the brokers have these batches is not known any more, so their numbers cannot be gone on from. A new
        // identity starts from nothing.
        numbering = undefined
        throw error
      }
    },
    async stop() {
      await Promise.allSettled([pool.close(), directory.close(true)])
    },
  }
}
