import type { Admin } from 'kafkajs'
import { isOfType } from './faults.ts'

/** Kafka's own default of max.message.bytes, for brokers that do not tell. */
const DEFAULT_MAX_BYTES = 1_048_588
/** What Kafka’s protocol calls a topic among the things that have settings. */
const TOPIC = 2

/** Makes a topic when it is not there, as the brokers make topics by default; gives back how large its messages may be. */
export async function prepareTopic(admin: Admin, topic: string): Promise<number> {
  if (!(await admin.listTopics()).includes(topic)) {
    try {
      await admin.createTopics({ topics: [{ topic, numPartitions: -1, replicationFactor: -1 }] })
    } catch (error) {
      // Made by somebody else since.
      if (!isOfType(error, 'TOPIC_ALREADY_EXISTS')) throw error
    }
  }
  const name = 'max.message.bytes'
  const resources = [{ type: TOPIC, name: topic, configNames: [name] }]
  const described = await admin.describeConfigs({ resources, includeSynonyms: false })
  const value = described.resources[0]?.configEntries.find(entry => entry.configName === name)?.configValue
  return value === undefined ? DEFAULT_MAX_BYTES : Number(value)
}
