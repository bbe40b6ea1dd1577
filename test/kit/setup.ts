import type { TestProject } from 'vitest/node'
import { startBroker, startRegistry } from './kafka.ts'

declare module 'vitest' {
  interface ProvidedContext {
    kafka: { brokers: string; registryUrl: string } | undefined
  }
}

/** Starts the servers that many tests share, once for the whole run: those of KAFKA_BROKERS, else our own on the JVM. */
export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const { KAFKA_BROKERS, SCHEMA_REGISTRY_URL, CI, WITHOUT_KAFKA } = process.env
  if (KAFKA_BROKERS && SCHEMA_REGISTRY_URL) {
    provide('kafka', { brokers: KAFKA_BROKERS, registryUrl: SCHEMA_REGISTRY_URL })
    return async () => undefined
  }
  try {
    if (WITHOUT_KAFKA) throw new Error('WITHOUT_KAFKA is set')
    const [broker, registry] = await Promise.all([startBroker(), startRegistry()])
    provide('kafka', { brokers: broker.brokers, registryUrl: registry.url })
    return async () => {
      await Promise.all([broker.stop(), registry.stop()])
    }
  } catch (error) {
    const reason = `NO KAFKA FOR THE TESTS: Java 17 and Maven are needed. ${(error as Error).message}`
    if (CI === 'true') throw new Error(reason, { cause: error })
    console.error(`\n${'!'.repeat(80)}\n${reason}\nThe tests that need it are skipped.\n${'!'.repeat(80)}\n`)
    provide('kafka', undefined)
    return async () => undefined
  }
}
