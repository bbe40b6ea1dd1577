import { describe, expect, it } from 'vitest'
import { parseConnectionString } from '../../../src/catalog/connectors/eventstore/connection-string.ts'
import { eventstore } from '../../../src/catalog/connectors/eventstore.ts'
import { connectorOf } from '../../../src/catalog/connectors/index.ts'
import { CERTIFICATE } from '../../kit/eventstore-server.ts'

const connection_string = 'esdb://localhost:2113?tls=false'

function problems(config: object) {
  const parsed = eventstore.config.safeParse({ connection_string, ...config })
  return parsed.success ? [] : parsed.error.issues.map(issue => issue.path.join('.'))
}

describe('a configuration', () => {
  it('is that of a connector', () => {
    expect(connectorOf('eventstore')).toBe(eventstore)
    expect(eventstore.secrets!({ connection_string })).toEqual([['connection_string']])
  })

  it.each([
    { stream: 'orders-1' },
    { stream: '$all', from: { commit: 1, prepare: '9223372036854775807' } },
    { all: true, from: 'C:10/P:9', system_events: true },
    { $all: true, from: 5 },
    { category: 'orders', from: 7, resolve_links: false },
    { stream: 's', from: '9223372036854775807', record_id: 'revision', tls_ca: CERTIFICATE },
    { stream: 's', connection_string: '***' },
    { stream: 's', connection_string: 'words that stand for it' },
  ])('may be %j', config => {
    expect(problems(config)).toEqual([])
  })

  it.each([
    [{}, ['stream']],
    [{ stream: 'a', category: 'b' }, ['stream']],
    [{ stream: 'a', all: true }, ['stream']],
    [{ $all: true, all: true }, ['stream']],
    [{ stream: '' }, ['stream']],
    [{ stream: 'a', all: false }, ['all']],
    [{ stream: 'a', from: -1 }, ['from']],
    [{ stream: 'a', from: 1.5 }, ['from']],
    [{ stream: 'a', from: 'middle' }, ['from']],
    [{ stream: 'a', from: '9223372036854775808' }, ['from']],
    [{ stream: 'a', from: { commit: 1, prepare: 1 } }, ['from']],
    [{ stream: 'a', from: '1/1' }, ['from']],
    [{ all: true, from: { commit: 1 } }, ['from']],
    [{ stream: 'a', system_events: true }, ['system_events']],
    [{ stream: 'a', tls_ca: 'nothing' }, ['tls_ca']],
    [{ stream: 'a', folow: true }, ['']],
    [{ stream: 'a', connection_string: 'localhost:2113' }, ['connection_string']],
    [{ stream: 'a', connection_string: '' }, ['connection_string']],
  ])('may not be %j', (config, fields) => {
    expect(problems(config)).toEqual(fields)
  })
})

describe('a connection string', () => {
  it('says where to connect and how', () => {
    expect(
      parseConnectionString(' esdb://a%40b:p%3Aw@h1,h2:1113,[2001:db8::1]:99/?TLS=false&node_Preference=Follower\n'),
    ).toEqual({
      cluster: true,
      hosts: [
        { host: 'h1', port: 2113 },
        { host: 'h2', port: 1113 },
        { host: '2001:db8::1', port: 99 },
      ],
      login: { username: 'a@b', password: 'p:w' },
      tls: false,
      verifyCertificate: true,
      preference: 'follower',
      name: 'superinsight-sync',
      keepAliveMs: 10_000,
      keepAliveTimeoutMs: 10_000,
    })
    const plain = parseConnectionString(
      'esdb://admin:change:it@h?keepAliveInterval=-1&keepAliveTimeout=-1&connectionName=a%20b',
    )
    expect(plain).toMatchObject({ cluster: false, tls: true, name: 'a b', keepAliveMs: undefined })
    expect(plain.login).toEqual({ username: 'admin', password: 'change:it' })
    for (const scheme of ['kurrentdb', 'kurrent', 'kdb', 'ESDB']) {
      expect(parseConnectionString(`${scheme}+discover://h`)).toMatchObject({ cluster: true })
      expect(parseConnectionString(`${scheme}://h?defaultDeadline=5&maxDiscoverAttempts=2`)).toMatchObject({
        cluster: false,
      })
    }
  })

  it.each([
    'canary:canary@canary',
    'http://canary:canary@h',
    'esdb://',
    'esdb://canary:canary@',
    'esdb://canary@h',
    'esdb://:canary@h',
    'esdb://canary:@h',
    'esdb://canary:can/ary@h',
    'esdb://canary:can?ary@h',
    'esdb://canary:can%ary@h',
    'esdb://u:p@canary:canary',
    'esdb://u:p@h:0',
    'esdb://u:p@h:65536',
    'esdb://u:p@h,,canary',
    'esdb://u:p@canary!',
    'esdb://u:p@[canary]:1',
    'esdb://u:p@h/canary',
    'esdb://u:p@h?canary',
    'esdb://u:p@h?canary=1',
    'esdb://u:p@h?tls=canary',
    'esdb://u:p@h?nodePreference=canary',
    'esdb://u:p@h?keepAliveInterval=canary',
    'esdb://u:p@h?keepAliveInterval=5',
    'esdb://u:p@h?tlsCAFile=/etc/canary',
    'esdb://u:p@h?user_key_file=canary&userCertFile=canary',
    `esdb://${'h,'.repeat(40)}h`,
  ])('that is wrong is refused without a word of it: %s', text => {
    let failure: Error | undefined
    try {
      parseConnectionString(text)
    } catch (error) {
      failure = error as Error
    }
    expect(failure).toMatchObject({ details: [{ field: 'connector.config.connection_string' }] })
    expect(failure!.message).not.toContain('canary')
  })
})
