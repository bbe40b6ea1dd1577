import { readFileSync } from 'node:fs'
import { parse } from 'yaml'

/** How long an engine may take to answer: one that hangs is none. */
const ANSWER_MS = 10_000

/** What of the engine's client the choice looks at. */
interface Engine {
  info: { containerRuntime: { host: string } }
}

const found = async (): Promise<Engine> => (await import('testcontainers')).getContainerRuntimeClient()

/**
 * Whether servers for the tests come as containers: when a Docker engine on this machine answers. One elsewhere would
 * publish its ports there, and the tests reach their servers at 127.0.0.1 and stand between them.
 */
export async function dockerAnswers(engine = found, answerMs = ANSWER_MS): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<undefined>()
  const timer = setTimeout(() => resolve(undefined), answerMs)
  const answer = await Promise.race([engine().catch(() => undefined), late])
  clearTimeout(timer)
  return answer !== undefined && ['localhost', '127.0.0.1'].includes(answer.info.containerRuntime.host)
}

let answers: Promise<boolean> | undefined

/** A server of a kind: as a container when a Docker engine answers, else as this machine has it. */
export async function eitherWay<T>(container: () => Promise<T>, own: () => Promise<T>): Promise<T> {
  answers ??= dockerAnswers()
  return (await answers) ? container() : own()
}

/** Control over a container, as over a process. */
export interface Container {
  /** Ends it at once, and keeps its data. */
  stop(signal?: NodeJS.Signals): Promise<void>
  start(): Promise<void>
  /** Freezes it: connections stay open and nothing is answered. */
  pause(): Promise<void>
  resume(): Promise<void>
  /** Ends it and removes its data. */
  remove(): Promise<void>
}

export interface ContainerOptions {
  /** Its service in docker-compose.yml, whose image it is. */
  service: string
  /** The port that it listens on, and the one on this machine, which it keeps when it is started again. */
  inside: number
  port: number
  environment?: Record<string, string>
  command?: string[]
}

/** Starts a container, which does not outlive the tests. Its server may need a moment more until it answers. */
export async function startContainer(options: ContainerOptions): Promise<Container> {
  const { service, inside, port, environment = {}, command } = options
  const { GenericContainer, getContainerRuntimeClient } = await import('testcontainers')
  const defined = new GenericContainer(imageOf(service))
    .withEnvironment(environment)
    .withExposedPorts({ container: inside, host: port })
  const started = await (command ? defined.withCommand(command) : defined).start()
  const container = (await getContainerRuntimeClient()).container.getById(started.getId())
  const state = async () => (await container.inspect()).State
  return {
    async stop(signal = 'SIGKILL') {
      if (!(await state()).Running) return
      const ended = container.wait()
      await container.kill({ signal })
      await ended
    },
    start: () => container.start(),
    pause: () => container.pause(),
    async resume() {
      if ((await state()).Paused) await container.unpause()
    },
    async remove() {
      await started.stop()
    },
  }
}

function imageOf(service: string): string {
  const compose = readFileSync(new URL('../../docker-compose.yml', import.meta.url), 'utf8')
  const { services } = parse(compose, { merge: true }) as { services: Record<string, { image: string }> }
  return services[service]!.image
}
