import type { CommandDecided, CommandIssued } from '../../src/events/index.ts'
import { createCodec } from '../../src/log/codec.ts'
import type { Log } from '../../src/log/log.ts'
import type { Faults } from './audit.ts'
import { readTopic } from './events.ts'
import { lasting } from './faults.ts'
import type { Load } from './load.ts'
import { until } from './processes.ts'
import type { Service } from './service.ts'

/** API keys that a run has asked for, by their names, and whether the answer was yes. */
export type AskedKeys = Map<string, boolean>

/** Makes API keys one after another until it is stopped: commands, each decided together with its checkpoint. */
export function startKeyLoad(service: Service, asked: AskedKeys): Pick<Load, 'stop'> {
  let stopping = false
  async function ask(): Promise<void> {
    const name = `key ${asked.size}`
    asked.set(name, false)
    try {
      const answer = await service.post('/api-keys', { name, permissions: ['sync:read'] })
      await answer.arrayBuffer()
      if (answer.status === 201) asked.set(name, true)
    } catch {
      // The service is gone: whether the key was made is unknown, and stays so.
    }
    await lasting(5)
  }
  const running = (async () => {
    while (!stopping) await ask()
  })()
  return {
    async stop() {
      stopping = true
      await running
    },
  }
}

/** Every command must have one outcome, every key that was promised be there, and none twice. */
export async function auditKeys(log: Log, service: Service, asked: AskedKeys): Promise<Faults> {
  const { items } = (await (await service.get('/api-keys?limit=1000')).json()) as { items: { name: string }[] }
  const made = Map.groupBy(items, ({ name }) => name)
  const faults: Faults = []
  for (const [name, promised] of asked) {
    const count = made.get(name)?.length ?? 0
    if (count > 1 || (promised && count === 0)) faults.push(`${name} is there ${count} times`)
  }
  const codec = createCodec(log)
  const decode = async (topic: string) => {
    const events = await readTopic(log, topic)
    await codec.prepare(events)
    return events.map(({ value }) => codec.decode(value).data)
  }
  const commands = (await decode('sync.commands')) as CommandIssued[]
  const decided = async () =>
    Map.groupBy((await decode('sync.outcomes')) as CommandDecided[], ({ command_id }) => command_id)
  // A decider that was killed may be missed for a session before another one goes on where it was.
  const all = async () => {
    const found = await decided()
    return commands.every(({ command_id }) => found.has(command_id))
  }
  await until('every command to be decided', all, 30_000).catch(error => faults.push((error as Error).message))
  const outcomes = await decided()
  for (const { command_id } of commands) {
    const count = outcomes.get(command_id)?.length ?? 0
    if (count !== 1) faults.push(`command ${command_id} has ${count} outcomes`)
  }
  return faults
}
