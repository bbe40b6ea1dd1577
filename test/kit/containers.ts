import { Kafka, logLevel } from 'kafkajs'
import { startContainer } from './docker.ts'
import { BROKER, type Broker, CLUSTER_ID } from './kafka.ts'
import { OWN, type Postgres, postgresUrl, runSql, TESTS } from './postgres.ts'
import { freePort, until } from './processes.ts'
import { answersPing, type Redis } from './redis.ts'

/*
 * The servers of the tests as containers, with the images of docker-compose.yml. Ports on this machine are chosen by us:
 * a server that is started again keeps its address.
 */

const START_MS = 120_000

export async function startBrokerContainer(wire?: (port: number) => Promise<number>): Promise<Broker> {
  const port = await freePort()
  const advertised = (await wire?.(port)) ?? port
  const properties = {
    ...BROKER,
    'controller.quorum.voters': '1@127.0.0.1:9093',
    listeners: 'PLAINTEXT://:9092,CONTROLLER://:9093',
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${advertised}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': '/var/lib/kafka/data',
  }
  // The image makes its properties of such names: KAFKA_ and the property's, with _ for the dots.
  const named = Object.entries(properties).map(([name, value]) => [
    `KAFKA_${name.toUpperCase().replaceAll('.', '_')}`,
    value,
  ])
  const environment = { CLUSTER_ID, KAFKA_HEAP_OPTS: '-Xmx512m', ...Object.fromEntries(named) }
  const container = await startContainer({ service: 'kafka', inside: 9092, port, environment })
  const answers = () => until(`Kafka on port ${port}`, () => answersKafka(port), START_MS)
  await answers()
  return {
    brokers: `127.0.0.1:${advertised}`,
    stop: signal => container.stop(signal),
    async start() {
      await container.start()
      await answers()
    },
    pause: () => container.pause(),
    resume: () => container.resume(),
  }
}

/** Docker takes connections before the broker does: it has to answer. */
async function answersKafka(port: number): Promise<boolean> {
  const brokers = [`127.0.0.1:${port}`]
  const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING, retry: { retries: 0 } }).admin()
  try {
    await admin.connect()
    return true
  } finally {
    await admin.disconnect()
  }
}

export async function startRegistryContainer(): Promise<{ url: string; stop(): Promise<void> }> {
  const port = await freePort()
  const container = await startContainer({ service: 'registry', inside: 8080, port })
  const url = `http://127.0.0.1:${port}/apis/ccompat/v7`
  await until('the schema registry', async () => (await fetch(`${url}/subjects`)).ok, START_MS)
  return { url, stop: () => container.remove() }
}

export async function startPostgresContainer(): Promise<Postgres> {
  const port = await freePort()
  const { user, password, settings } = TESTS
  const environment = { POSTGRES_USER: user, POSTGRES_PASSWORD: password, POSTGRES_DB: OWN }
  const initdb = { POSTGRES_INITDB_ARGS: '--encoding=UTF8 --locale=C' }
  const command = ['postgres', ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])]
  const container = await startContainer({
    service: 'postgres',
    inside: 5432,
    port,
    environment: { ...environment, ...initdb },
    command: [...command, '-c', 'listen_addresses=*'],
  })
  const url = postgresUrl(TESTS, port)
  const answers = () => until(`PostgreSQL on port ${port}`, () => runSql(url, 'select 1').then(() => true), START_MS)
  await answers()
  return {
    url,
    port,
    async restart() {
      await container.stop('SIGQUIT')
      await container.start()
      await answers()
    },
    stop: () => container.remove(),
  }
}

export async function startRedisContainer(): Promise<Redis> {
  const port = await freePort()
  const command = ['redis-server', '--save', '']
  const container = await startContainer({ service: 'redis', inside: 6379, port, command })
  const answers = () => until(`Redis on port ${port}`, () => answersPing(port), START_MS)
  await answers()
  return {
    url: `redis://127.0.0.1:${port}`,
    async start() {
      await container.start()
      await answers()
    },
    stop: () => container.stop(),
    pause: () => container.pause(),
    resume: () => container.resume(),
  }
}
