import { isIP } from 'node:net'
import { promisify } from 'node:util'
import type { ClusterInfo, MemberInfo } from '@eventstore/db-client/generated/gossip_pb.js'
import { DomainError, invalid } from '../../../kernel/errors.ts'
import type { Guard } from '../../reach/guard.ts'
import type { Client, Dialling } from './client.ts'
import { CONNECTION_FIELD, type Connection, type Endpoint, type Preference } from './connection-string.ts'
import { Passing, type Refusals } from './failures.ts'

/** One address of a node of the database, which may be connected to. */
export interface Node {
  /** What it was called: host and port. */
  readonly name: string
  /** For gRPC: an address that has been checked, so that nothing is resolved again. */
  readonly target: string
  /** The name that its certificate is for; undefined where it was called by its address. */
  readonly serverName: string | undefined
}

const MOST_ADDRESSES = 8
const GOSSIP_MS = 5000

export interface Nodes {
  /**
   * The addresses of the node to read from, asked for anew each time: that endpoint if one is given, the only one there
   * is, or the one that the cluster's members say is best. Throws a DomainError for an address that may not be
   * connected to, Passing when there is none now.
   */
  find(leader: Endpoint | undefined): Promise<readonly Node[]>
  /** A node that failed is the last to be taken again, as long as there are others. */
  failed(node: Node): void
}

export function createNodes(
  client: Client,
  dialling: Dialling,
  refusals: Refusals,
  { connection, guard, answerMs }: { connection: Connection; guard: Guard; answerMs: number },
): Nodes {
  const failed = new Set<string>()

  async function addressesOf({ host, port }: Endpoint): Promise<Node[]> {
    const name = `${isIP(host) === 6 ? `[${host}]` : host}:${port}`
    const serverName = isIP(host) === 0 ? host : undefined
    const found = await resolved(guard, host)
    return found.slice(0, MOST_ADDRESSES).map(({ address, family }) => {
      const target = family === 6 ? `ipv6:[${address}]:${port}` : `ipv4:${address}:${port}`
      return { name, target, serverName }
    })
  }

  /** Asks one address of a node for the cluster's members. */
  function gossip(node: Node): Promise<ClusterInfo> {
    const gossiping = new client.GossipClient(node.target, dialling.credentials, dialling.options(node))
    const deadline = Date.now() + Math.min(GOSSIP_MS, answerMs)
    return new Promise<ClusterInfo>((resolve, reject) => {
      gossiping.read(new client.Empty(), dialling.metadata(), { deadline }, (error, info) => {
        if (error) reject(refusals.of(error))
        else resolve(info)
      })
    }).finally(() => gossiping.close())
  }

  /** What a host of the connection string knows of its cluster, from the first of its addresses that answers. */
  async function membersBy(host: Endpoint): Promise<readonly MemberInfo[] | Passing> {
    let failure = new Passing(`the name ${host.host} has no address`)
    for (const node of await addressesOf(host)) {
      try {
        return (await gossip(node)).getMembersList()
      } catch (error) {
        if (!(error instanceof Passing)) throw error
        failure = error
      }
    }
    return failure
  }

  async function discover(): Promise<Endpoint> {
    let failure = new Passing('none of the hosts answers')
    for (const host of shuffled(connection.hosts)) {
      const members = await membersBy(host).catch(asPassing)
      const best = members instanceof Passing ? members : bestOf(members, connection.preference, failed)
      if (best && !(best instanceof Passing)) return best
      failure = best ?? new Passing(`${host.host}:${host.port} knows no member of its cluster that can be read from`)
    }
    throw failure
  }

  return {
    async find(leader) {
      return addressesOf(leader ?? (connection.cluster ? await discover() : connection.hosts[0]!))
    },
    failed(node) {
      failed.add(node.name)
    },
  }
}

function asPassing(error: unknown): Passing {
  if (error instanceof Passing) return error
  throw error
}

async function resolved(guard: Guard, host: string): Promise<{ address: string; family: number }[]> {
  try {
    const found = await promisify(guard.lookup)(host, { all: true })
    return found as unknown as { address: string; family: number }[]
  } catch (error) {
    if (error instanceof DomainError) throw invalid(CONNECTION_FIELD, error.message)
    throw new Passing(`the name ${host} could not be resolved: ${(error as NodeJS.ErrnoException).code}`)
  }
}

/** The states of members that are wanted, best first; those of any other that can be read from come after. */
const STATES: Readonly<Record<Preference, readonly string[]>> = {
  leader: ['LEADER', 'FOLLOWER'],
  follower: ['FOLLOWER', 'LEADER'],
  readonlyreplica: ['READONLYREPLICA', 'PREREADONLYREPLICA', 'READONLYLEADERLESS'],
  random: [],
}
/** By the numbers of the protocol. */
const READABLE = new Map([
  [6, 'FOLLOWER'],
  [8, 'LEADER'],
  [12, 'READONLYLEADERLESS'],
  [13, 'PREREADONLYREPLICA'],
  [14, 'READONLYREPLICA'],
])

function bestOf(
  members: readonly MemberInfo[],
  preference: Preference,
  failed: ReadonlySet<string>,
): Endpoint | undefined {
  const wanted = STATES[preference]
  const candidates = shuffled(members).flatMap(member => {
    const state = READABLE.get(member.getState())
    const endpoint = member.getHttpEndPoint()
    if (!state || !endpoint || !member.getIsAlive()) return []
    const host = endpoint.getAddress()
    const port = endpoint.getPort()
    const hasFailed = failed.has(`${isIP(host) === 6 ? `[${host}]` : host}:${port}`)
    const rank = wanted.includes(state) ? wanted.indexOf(state) : wanted.length
    return [{ host, port, rank: rank + (hasFailed ? 100 : 0) }]
  })
  return candidates.sort((a, b) => a.rank - b.rank)[0]
}

function shuffled<T>(list: readonly T[]): T[] {
  return list
    .map(value => ({ value, order: Math.random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ value }) => value)
}
