import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startBrokerContainer, startRegistryContainer } from './containers.ts'
import { eitherWay } from './docker.ts'
import { jars } from './jars.ts'
import { freePort, type Running, run, until } from './processes.ts'

/** A Kafka broker of our own: KRaft, one node. */
export interface Broker {
  readonly brokers: string
  /** Ends the broker (with SIGKILL unless said) and keeps its data. */
  stop(signal?: NodeJS.Signals): Promise<void>
  start(): Promise<void>
  /** Freezes it: connections stay open and nothing is answered. */
  pause(): Promise<void>
  resume(): Promise<void>
}

export const CLUSTER_ID = 'c3luYy10ZXN0LWNsdXN0ZQ'

/** What it is set to, wherever it runs. */
export const BROKER: Readonly<Record<string, string>> = {
  'process.roles': 'broker,controller',
  'node.id': '1',
  'controller.listener.names': 'CONTROLLER',
  'offsets.topic.replication.factor': '1',
  'offsets.topic.num.partitions': '4',
  'transaction.state.log.replication.factor': '1',
  'transaction.state.log.min.isr': '1',
  'transaction.state.log.num.partitions': '4',
  'group.initial.rebalance.delay.ms': '0',
  // A broker that was killed may come back only when its last life is given up: 9 s unless said.
  'broker.session.timeout.ms': '2000',
  'broker.heartbeat.interval.ms': '300',
}

/** Starts a broker; `wire`, given its port, may name another port that clients are sent to. */
export function startBroker(wire?: (port: number) => Promise<number>): Promise<Broker> {
  return eitherWay(
    () => startBrokerContainer(wire),
    () => startJvmBroker(wire),
  )
}

/** A broker on the local JVM; `dir` is where its data is. */
export async function startJvmBroker(wire?: (port: number) => Promise<number>): Promise<Broker & { dir: string }> {
  const { kafkaClassPath } = jars()
  const dir = mkdtempSync(join(tmpdir(), 'sync-kafka-'))
  const [port, controller] = [await freePort(), await freePort()]
  const advertised = (await wire?.(port)) ?? port
  const file = join(dir, 'server.properties')
  mkdirSync(join(dir, 'data'))
  writeFileSync(
    file,
    Object.entries({
      ...BROKER,
      'controller.quorum.voters': `1@127.0.0.1:${controller}`,
      listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controller}`,
      'advertised.listeners': `PLAINTEXT://127.0.0.1:${advertised}`,
      'log.dirs': join(dir, 'data'),
    })
      .map(pair => pair.join('='))
      .join('\n'),
  )
  const java = (...args: string[]) => run('java', ['-Xmx512m', '-cp', kafkaClassPath, ...args])
  const format = java('kafka.tools.StorageTool', 'format', '-t', CLUSTER_ID, '-c', file)
  const code = await new Promise(resolve => format.child.on('exit', resolve))
  if (code !== 0) throw new Error(`Kafka's storage could not be formatted: ${format.output()}`)
  let server: Running | undefined

  async function start(): Promise<void> {
    server = java('kafka.Kafka', file)
    await until(`Kafka on port ${port}`, () => answers(port), 60_000)
  }
  await start()
  return {
    brokers: `127.0.0.1:${advertised}`,
    dir,
    start,
    stop: async (signal = 'SIGKILL') => void (await server?.end(signal)),
    pause: async () => void server?.child.kill('SIGSTOP'),
    resume: async () => void server?.child.kill('SIGCONT'),
  }
}

/** A schema registry of our own (Apicurio); its URL speaks Confluent's API. */
export function startRegistry(): Promise<{ url: string; stop(): Promise<void> }> {
  return eitherWay(startRegistryContainer, startJvmRegistry)
}

export async function startJvmRegistry(): Promise<{ url: string; stop(): Promise<void> }> {
  const { registryJar } = jars()
  const port = await freePort()
  const options = [`-Dquarkus.http.port=${port}`, '-Dquarkus.http.host=127.0.0.1']
  const server = run('java', ['-Xmx300m', ...options, '-jar', registryJar])
  const url = `http://127.0.0.1:${port}/apis/ccompat/v7`
  await until('the schema registry', async () => (await fetch(`${url}/subjects`)).ok, 60_000)
  return { url, stop: async () => void (await server.end()) }
}

function answers(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}
