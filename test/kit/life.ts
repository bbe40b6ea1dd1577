import { join } from 'node:path'
import { openLog } from '../../src/adapters.ts'
import { readConfig } from '../../src/config.ts'
import { decodePosition, encodePosition, mergePositions, offsetIn } from '../../src/kernel/position.ts'
import type { Log } from '../../src/log/log.ts'
import { auditChains, auditPushes, auditTold, type Changes, type Faults, readChanges } from './audit.ts'
import type { Ledger } from './ledger.ts'
import { until } from './processes.ts'
import { auditReadModel } from './rebuild.ts'
import { type Service, untilProjected } from './service.ts'
import type { Subscriber } from './subscriber.ts'

/** Where an embedded service keeps its read model. */
export function readModelOf({ dataDir }: Pick<Service, 'dataDir'>): string {
  return join(dataDir, 'read.db')
}

/** Opens the log of a service from outside, as `env` and its DATA_DIR say. */
export async function openLogOf({ dataDir }: Pick<Service, 'dataDir'>, env: Record<string, string> = {}): Promise<Log> {
  return openLog(readConfig({ DATA_DIR: dataDir, ...env }))
}

/** Waits until every record in the log is in the read model, and every subscriber has been told of every change. */
export async function untilQuiet(service: Service, log: Log, subscribers: readonly Subscriber[] = []): Promise<void> {
  const ends = await log.ends('sync.records')
  const places = log.streams('sync.records').map(stream => log.place(stream, ends.get(stream.name)!))
  await untilProjected(service, encodePosition(places.reduce(mergePositions)))
  const last = new Map<string, number>()
  for (const { change } of (await readChanges(log)).once.values()) last.set(change.source_stream, change.source_offset)
  for (const [n, subscriber] of subscribers.entries()) {
    const reached = () => {
      const position = subscriber.told.at(-1)?.position
      if (position === undefined) return last.size === 0
      const decoded = decodePosition(position, log.id, 'position')
      return [...last].every(([stream, offset]) => offsetIn(decoded, stream) >= offset)
    }
    await until(`subscriber ${n} to be told of the last change`, reached, 60_000).catch(error => {
      throw new Error(`${error.message}: ${subscriber.history.slice(-4).join(' | ')}`, { cause: error })
    })
  }
}

/** Everything the laws say about a service's data, once it is quiet. Empty when all of them hold. */
export async function auditLife(options: {
  log: Log
  /** Where the read model is: a SQLite file or a PostgreSQL URL. */
  readModel: string
  ledger: Ledger
  subscribers?: readonly Subscriber[]
}): Promise<{ faults: Faults; changes: Changes }> {
  const { log, readModel, ledger, subscribers = [] } = options
  const changes = await readChanges(log)
  const faults = [
    ...(await auditPushes(log, ledger)),
    ...changes.faults,
    ...auditChains([...changes.once.values()].map(({ change }) => change)),
    ...(await auditReadModel(log, readModel, changes)),
    ...subscribers.flatMap(({ told, errors }) => [...auditTold(log, told, changes), ...errors]),
  ]
  return { faults, changes }
}
