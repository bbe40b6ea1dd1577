import { status } from '@grpc/grpc-js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { failureOf, pagesOf, pulling, revisionsOf } from '../../kit/eventstore-pulls.ts'
import { CERTIFICATE, type EventStoreServer, startEventStoreServer } from '../../kit/eventstore-server.ts'

const FIELD = 'connector.config.connection_string'

describe('user and password', () => {
  const login = { username: 'reader', password: 'p:a/s%s@ word€' }
  const encoded = `${login.username}:${encodeURIComponent(login.password)}`
  const spellings = [
    login.password,
    encodeURIComponent(login.password),
    Buffer.from(`${login.username}:${login.password}`).toString('base64'),
  ]
  let server: EventStoreServer

  beforeEach(async () => {
    server = await startEventStoreServer({ tls: true, login, host: 'localhost' })
    const event = {
      id: 'e',
      type: 'T',
      contentType: 'application/json',
      data: Buffer.from('{}'),
      metadata: Buffer.alloc(0),
    }
    server.log.append('s-1', 'any', [event])
  })

  afterEach(() => server.stop())

  const configWith = (user: string, more: object = {}, options = '') => ({
    ...{ connection_string: `esdb://${user}@localhost:${server.port}${options}`, stream: 's-1', tls_ca: CERTIFICATE },
    ...more,
  })

  it('are sent with TLS', async () => {
    expect(revisionsOf(await pagesOf(configWith(encoded)))).toEqual([0])
    expect(server.seen.at(-1)!.get('connection-name')).toEqual(['superinsight-sync'])
    // By its address, too, where the certificate has that.
    const byAddress = await startEventStoreServer({ tls: true, login })
    const { connection_string } = configWith(encoded)
    const host = connection_string.replace(/@.*$/, `@127.0.0.1:${byAddress.port}`)
    await pagesOf(configWith(encoded, { connection_string: host }))
    expect(byAddress.seen.length).toBeGreaterThan(0)
    await byAddress.stop()
  })

  it('are not sent without TLS, and the run says so', async () => {
    const plain = await startEventStoreServer()
    const run = pulling()
    await pagesOf(
      { connection_string: `esdb://${encoded}@127.0.0.1:${plain.port}?tls=false`, stream: 's' },
      undefined,
      run,
    )
    expect(plain.seen.length).toBeGreaterThan(0)
    for (const metadata of plain.seen) expect(metadata.get('authorization')).toEqual([])
    expect(run.told[0]).toMatchObject({ level: 'warning', message: expect.stringContaining('without TLS') })
    await plain.stop()
  })

  it('that are wrong fail the run, and are told to nobody', async () => {
    const { error } = await failureOf(configWith('reader:canary-one'))
    expect(error).toMatchObject({ code: 'VALIDATION_ERROR', details: [{ field: FIELD }] })
    expect(error.message).not.toContain('canary')
    const nobody = await failureOf({ ...configWith(''), connection_string: `esdb://localhost:${server.port}` })
    expect(nobody.error).toMatchObject({ code: 'VALIDATION_ERROR', details: [{ field: FIELD }] })
    expect(nobody.error.message).toContain('Access Denied')
  })

  it('are hidden in what a server says', async () => {
    for (const code of [
      status.UNAUTHENTICATED,
      status.UNAVAILABLE,
      status.INVALID_ARGUMENT,
      status.INTERNAL,
      status.ABORTED,
    ]) {
      server.refuse = () => ({ code, details: `you sent ${spellings.join(' and ')} as ${encoded}` })
      const run = pulling()
      const { error } = await failureOf(configWith(encoded), undefined, run)
      const written = `${error.message} ${JSON.stringify(error)} ${JSON.stringify(run.told)}`
      for (const spelling of [...spellings, encoded]) expect(written).not.toContain(spelling)
      expect(written).toContain('you sent ***')
    }
  })

  it.each([
    ['a certificate of nobody known', { tls_ca: undefined }, '', /certificate/],
    ['a server without TLS', {}, 'plain', /TLS/],
  ])('go to nobody with %s', async (_what, more, which, reason) => {
    const plain = await startEventStoreServer({ host: 'localhost' })
    const config = configWith(encoded, more)
    if (which === 'plain')
      config.connection_string = config.connection_string.replace(`${server.port}`, `${plain.port}`)
    const { error } = await failureOf(config)
    expect(error).toMatchObject({ code: 'VALIDATION_ERROR', details: [{ field: FIELD }] })
    expect(error.message).toMatch(reason)
    expect([...server.seen, ...plain.seen]).toEqual([])
    await plain.stop()
  })

  it('go to a server whose certificate is not looked at, when that is asked for', async () => {
    const config = configWith(encoded, { tls_ca: undefined }, '?tlsVerifyCert=false')
    expect(revisionsOf(await pagesOf(config))).toEqual([0])
  })
})
