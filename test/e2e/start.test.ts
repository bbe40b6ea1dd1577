import { expect, it } from 'vitest'
import { call } from '../kit/api.ts'
import { removeData, type Service, startService } from '../kit/service.ts'

/** Tells each package of which a thread loads something, as `load <thread> <package>`. */
const TELLING = `import { registerHooks } from 'node:module'
import { writeSync } from 'node:fs'
import { threadId } from 'node:worker_threads'
registerHooks({ load(url, context, next) {
  const found = /node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(url)
  if (found) writeSync(2, 'load ' + threadId + ' ' + found[1] + '\\n')
  return next(url, context)
} })`

function loaded({ process }: Service): Set<string> {
  return new Set([...process.output().matchAll(/^load (\d+ \S+)$/gm)].map(([, which]) => which!))
}

it('an embedded service loads no client of what it does not use, and GraphQL when somebody asks', async () => {
  const service = await startService(
    {},
    { nodeArgs: ['--import', `data:text/javascript,${encodeURIComponent(TELLING)}`] },
  )
  try {
    const packages = () => [...loaded(service)].map(which => which.split(' ')[1])
    const atStart = packages()
    expect(atStart).toContain('uWebSockets.js')
    for (const name of ['kafkajs', '@redis/client', 'pg', 'undici', 'graphql', 'graphql-yoga'])
      expect(atStart).not.toContain(name)
    // The other threads have the topics from the main one.
    expect([...loaded(service)].filter(which => which.endsWith(' yaml'))).toEqual(['0 yaml'])
    const { body } = await call<{ data: object }>(service, '/graphql', { body: { query: '{ __typename }' } })
    expect(body.data).toEqual({ __typename: 'Query' })
    expect(packages()).toContain('graphql-yoga')
  } finally {
    await service.stop()
    removeData(service)
  }
})
