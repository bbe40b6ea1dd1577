import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { dockerAnswers } from './kit/docker.ts'
import { startBroker, startRegistry } from './kit/kafka.ts'
import { startPostgres } from './kit/postgres.ts'
import { startRedis } from './kit/redis.ts'

const engineAt = (host: string) => async () => ({ info: { containerRuntime: { host } } })

describe('servers for the tests come as containers', () => {
  it('when a Docker engine on this machine answers', async () => {
    expect(await dockerAnswers(engineAt('localhost'))).toBe(true)
  })

  it.each([
    ['there is no engine', () => Promise.reject(new Error('Could not find a working container runtime strategy'))],
    ['it does not answer', () => new Promise<never>(() => undefined)],
    ['it is on another machine', engineAt('docker.example.com')],
  ])('and not when %s', async (_, engine) => {
    expect(await dockerAnswers(engine, 50)).toBe(false)
  })
})

interface Created {
  Image: string
  Env: string[]
  Cmd?: string[]
  HostConfig: { PortBindings: Record<string, { HostPort: string }[]> }
}

/** An engine that says it is there and has every image, notes what is asked of it, and makes nothing. */
describe('asked of a Docker engine', () => {
  const created: Created[] = []
  let engine: Server

  beforeAll(async () => {
    engine = createServer(async (request, response) => {
      const { status, body } = await answer(request)
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    })
    await new Promise<void>(resolve => engine.listen(0, '127.0.0.1', resolve))
    process.env.DOCKER_HOST = `tcp://127.0.0.1:${(engine.address() as { port: number }).port}`
    // Its part is to clean up after us: nothing is made.
    process.env.TESTCONTAINERS_RYUK_DISABLED = 'true'
  })
  afterAll(() => new Promise(resolve => engine.close(resolve)))

  async function answer(request: IncomingMessage): Promise<{ status: number; body: object }> {
    const { pathname } = new URL(request.url!, 'http://engine')
    if (pathname.endsWith('/info')) return { status: 200, body: { ServerVersion: '29.0.0', OSType: 'linux' } }
    if (pathname.includes('/images/')) return { status: 200, body: { Id: 'sha256:1' } }
    if (pathname.endsWith('/containers/json')) return { status: 200, body: [] }
    if (!pathname.endsWith('/containers/create')) return { status: 404, body: { message: `nothing at ${pathname}` } }
    let text = ''
    for await (const chunk of request) text += chunk
    created.push(JSON.parse(text))
    return { status: 500, body: { message: 'only noted' } }
  }

  const { services } = parse(readFileSync('docker-compose.yml', 'utf8'), { merge: true })

  it.each([
    ['kafka', startBroker, '9092/tcp', /^KAFKA_ADVERTISED_LISTENERS=PLAINTEXT:\/\/127\.0\.0\.1:PORT$/],
    ['registry', startRegistry, '8080/tcp', undefined],
    ['postgres', startPostgres, '5432/tcp', /^POSTGRES_PASSWORD=p@ss:word\/1$/],
    ['redis', startRedis, '6379/tcp', undefined],
  ])(
    '%s is a container of the image in docker-compose.yml, on a port of our choice',
    async (name, start, inside, set) => {
      created.length = 0
      await expect(start()).rejects.toThrow('only noted')
      expect(created).toHaveLength(1)
      const { Image, Env, HostConfig } = created[0]!
      expect(Image).toBe(services[name].image)
      const [{ HostPort: port }] = HostConfig.PortBindings[inside] as [{ HostPort: string }]
      expect(Number(port)).toBeGreaterThan(1024)
      if (set) expect(Env.map(each => each.replace(port, 'PORT'))).toContainEqual(expect.stringMatching(set))
    },
  )

  it('Kafka has every setting in the form that the image takes', async () => {
    created.length = 0
    await expect(startBroker(async port => port + 1)).rejects.toThrow('only noted')
    const env = Object.fromEntries(created[0]!.Env.map(each => each.split(/=(.*)/s)))
    const names = Object.keys(services.kafka.environment).filter(name => name !== 'KAFKA_LOG_DIRS')
    // docker-compose.yml spells the same settings by hand.
    expect(Object.keys(env)).toEqual(expect.arrayContaining(names))
    const port = Number(created[0]!.HostConfig.PortBindings['9092/tcp']![0]!.HostPort)
    expect(env.KAFKA_ADVERTISED_LISTENERS).toBe(`PLAINTEXT://127.0.0.1:${port + 1}`)
    expect(env.KAFKA_LOG_DIRS).toBe(services.kafka.environment.KAFKA_LOG_DIRS)
  })
})
