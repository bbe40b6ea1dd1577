import { rmSync } from 'node:fs'
import { Kafka } from 'kafkajs'
import { jars } from '../test/kit/jars.ts'
import { startJvmBroker, startJvmRegistry } from '../test/kit/kafka.ts'
import { run } from '../test/kit/processes.ts'
import { RECORD_BYTES } from './records.ts'

export interface KafkaParts {
  readonly brokers: string
  readonly registryUrl: string
  stop(): Promise<void>
}

/** The brokers of KAFKA_BROKERS, else one of our own on the local JVM. */
export async function kafkaParts(): Promise<KafkaParts> {
  const { KAFKA_BROKERS, SCHEMA_REGISTRY_URL } = process.env
  if (KAFKA_BROKERS && SCHEMA_REGISTRY_URL) {
    return { brokers: KAFKA_BROKERS, registryUrl: SCHEMA_REGISTRY_URL, stop: async () => undefined }
  }
  return freshKafkaParts()
}

/** A broker and a registry of our own with nothing in them; what they kept goes with them. */
export async function freshKafkaParts(): Promise<KafkaParts> {
  const [broker, registry] = await Promise.all([startJvmBroker(), startJvmRegistry()])
  const stop = async () => {
    await Promise.all([broker.stop(), registry.stop()])
    rmSync(broker.dir, { recursive: true, force: true })
  }
  return { brokers: broker.brokers, registryUrl: registry.url, stop }
}

/** What makes a process of the service use them. */
export function kafkaEnv({ brokers, registryUrl }: KafkaParts): Record<string, string> {
  return { KAFKA_BROKERS: brokers, SCHEMA_REGISTRY_URL: registryUrl }
}

/** Records a second of Kafka's own ProducerPerformance: acks=all, idempotent, records as long as ours, as many partitions. */
export async function producerPerformance(brokers: string, records: number): Promise<number> {
  const topic = `reference-${Date.now()}`
  const admin = new Kafka({ brokers: [brokers], logLevel: 0 }).admin()
  await admin.connect()
  await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: 6 }] })
  const properties = [`bootstrap.servers=${brokers}`, 'acks=all', 'enable.idempotence=true']
  const load = ['--num-records', String(records), '--record-size', String(RECORD_BYTES), '--throughput', '-1']
  const tool = run('java', [
    ...['-Xmx512m', '-cp', jars().kafkaClassPath, 'org.apache.kafka.tools.ProducerPerformance'],
    ...['--topic', topic, ...load, '--producer-props', ...properties],
  ])
  await new Promise(resolve => tool.child.on('close', resolve))
  await admin.deleteTopics({ topics: [topic] })
  await admin.disconnect()
  const rates = [...tool.output().matchAll(/records sent, ([\d.]+) records\/sec/g)]
  if (rates.length === 0) throw new Error(`ProducerPerformance printed no rate: ${tool.output()}`)
  return Math.round(Number(rates.at(-1)![1]))
}
