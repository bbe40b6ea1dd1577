import { randomBytes } from 'node:crypto'
import type { Role } from '../../src/config.ts'
import { removeData, type Service, type ServiceProcess, startProcess, startService } from './service.ts'

/** Processes of one service, each with one role, on the same servers. */
export interface Fleet {
  /** What every process of it is given. */
  readonly env: Readonly<Record<string, string>>
  edge(more?: Record<string, string>): Promise<Service>
  /** A process of another role. */
  member(role: Exclude<Role, 'edge'>, more?: Record<string, string>): Promise<ServiceProcess>
  /** Stops what still runs, in order, and removes its folders. */
  stop(): Promise<void>
}

export interface FleetServers {
  brokers: string
  registryUrl: string
  databaseUrl: string
  redisUrl?: string
}

export function createFleet(servers: FleetServers, more: Record<string, string> = {}): Fleet {
  const { brokers, registryUrl, databaseUrl, redisUrl } = servers
  const env = {
    KAFKA_BROKERS: brokers,
    SCHEMA_REGISTRY_URL: registryUrl,
    DATABASE_URL: databaseUrl,
    ...(redisUrl ? { REDIS_URL: redisUrl } : {}),
    ENCRYPTION_KEY: randomBytes(32).toString('hex'),
    ADMIN_CLIENT_ID: 'cli_fleet',
    ADMIN_CLIENT_SECRET: randomBytes(16).toString('hex'),
    ...more,
  }
  const members: ServiceProcess[] = []
  const started = <Member extends ServiceProcess>(member: Member) => {
    members.push(member)
    return member
  }
  return {
    env,
    edge: async also => started(await startService({ ...env, ROLES: 'edge', ...also })),
    member: async (role, also) => started(await startProcess({ ...env, ROLES: role, ...also })),
    async stop() {
      await Promise.all(members.map(member => member.stop()))
      for (const member of members) removeData(member)
    },
  }
}
