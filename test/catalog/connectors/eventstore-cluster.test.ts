import { status } from '@grpc/grpc-js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createGuard } from '../../../src/catalog/reach/guard.ts'
import { createEventLog } from '../../kit/eventstore-log.ts'
import { failureOf, pagesOf, pulling, revisionsOf } from '../../kit/eventstore-pulls.ts'
import { type EventStoreServer, type Member, startEventStoreServer, withKeys } from '../../kit/eventstore-server.ts'

const [FOLLOWER, LEADER, UNKNOWN, REPLICA] = [6, 8, 2, 14]
const HOSTS = ['127.0.0.1', '127.0.0.2', '127.0.0.3'] as const

describe('a cluster', () => {
  let nodes: EventStoreServer[]

  beforeEach(async () => {
    const log = createEventLog()
    const event = { type: 'T', contentType: 'application/json', data: Buffer.from('{}'), metadata: Buffer.alloc(0) }
    for (const id of ['a', 'b', 'c']) log.append('s-1', 'any', [{ id, ...event }])
    nodes = await Promise.all(HOSTS.map(host => startEventStoreServer({ host, log })))
    gossip([LEADER, FOLLOWER, REPLICA])
  })

  afterEach(() => Promise.all(nodes.map(node => node.stop())))

  const memberOf = ({ host, port }: EventStoreServer, state: number, isAlive = true): Member => ({
    ...{ host, port, state, isAlive },
  })

  function gossip(states: readonly number[]): void {
    for (const node of nodes) node.members = nodes.map((each, index) => memberOf(each, states[index]!))
  }

  const seeds = () => nodes.map(({ host, port }) => `${host}:${port}`).join(',')
  const configWith = (hosts: string, options = '') => ({
    connection_string: `esdb://${hosts}?tls=false${options}`,
    stream: 's-1',
  })
  /** Which nodes were read from. */
  const readers = () => nodes.flatMap(({ seen }, index) => (seen.length > 0 ? [index] : []))

  it.each([
    ['', 0],
    ['&nodePreference=follower', 1],
    ['&nodePreference=ReadOnly_Replica', 2],
  ])('is read from the node that is preferred: %s', async (options, expected) => {
    expect(revisionsOf(await pagesOf(configWith(seeds(), options)))).toEqual([0, 1, 2])
    expect(readers()).toEqual([expected])
  })

  it('is found by one of its names', async () => {
    const { host, port } = nodes[2]!
    const config = { connection_string: `esdb+discover://${host}:${port}?tls=false`, stream: 's-1' }
    expect(revisionsOf(await pagesOf(config))).toEqual([0, 1, 2])
    expect(readers()).toEqual([0])
  })

  it('is read from another node when one is gone, as long as it is said to be there', async () => {
    await nodes[0]!.stop()
    const run = pulling()
    expect(revisionsOf(await pagesOf(configWith(seeds()), undefined, run))).toEqual([0, 1, 2])
    expect(run.told).toHaveLength(1)
    expect(readers()).toEqual([1])
  })

  it('is read from the leader that a node names', async () => {
    gossip([UNKNOWN, LEADER, UNKNOWN])
    const { host, port } = nodes[2]!
    const metadata = withKeys({
      ...{ exception: 'not-leader', 'leader-endpoint-host': host, 'leader-endpoint-port': `${port}` },
    })
    nodes[1]!.refuse = () => ({ code: status.NOT_FOUND, details: 'Leader info available', metadata })
    expect(revisionsOf(await pagesOf(configWith(seeds())))).toEqual([0, 1, 2])
    expect(readers()).toEqual([1, 2])
  })

  it('without a member that can be read from is busy', async () => {
    gossip([UNKNOWN, UNKNOWN, UNKNOWN])
    const { error } = await failureOf(configWith(seeds()))
    expect(error.name).toBe('SourceBusy')
    expect(error.message).toContain('no member of its cluster')
    expect(readers()).toEqual([])
  })

  it.each(['gossip', 'the leader that a node names'])('may not lead to an address that is refused by %s', async way => {
    const { host, port } = nodes[2]!
    if (way === 'gossip') nodes[0]!.members = [memberOf(nodes[2]!, LEADER)]
    else {
      nodes[0]!.members = [memberOf(nodes[0]!, LEADER)]
      const keys = { exception: 'not-leader', 'leader-endpoint-host': host, 'leader-endpoint-port': `${port}` }
      nodes[0]!.refuse = () => ({ code: status.NOT_FOUND, details: '', metadata: withKeys(keys) })
    }
    const config = { ...configWith(`127.0.0.1:${nodes[0]!.port}`), stream: 's-1' }
    config.connection_string = config.connection_string.replace('esdb:', 'esdb+discover:')
    const { error } = await failureOf(config, undefined, pulling({ guard: createGuard('127.0.0.1/32') }))
    expect(error).toMatchObject({ code: 'VALIDATION_ERROR' })
    expect(error.message).toContain('127.0.0.3 is not a public address')
    expect(nodes[2]!.seen).toEqual([])
  })
})
