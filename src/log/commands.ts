import type { Command } from '../domain/deciders.ts'
import type { CommandDecided } from '../events/index.ts'
import { DomainError, type ErrorCode } from '../kernel/errors.ts'
import { partitionOf } from '../kernel/hash.ts'
import type { Position } from '../kernel/position.ts'
import type { Logger } from '../telemetry/logger.ts'
import { createCodec } from './codec.ts'
import { followStream } from './follow.ts'
import type { Log, Stream } from './log.ts'
import { newId } from './new-id.ts'

const COMMANDS = 'sync.commands'
const OUTCOMES = 'sync.outcomes'
/** Where the events of each noun are, for who waits to see them. */
const EVENTS: Readonly<Record<string, string>> = {
  api_key: 'sync.access',
  client: 'sync.access',
  family: 'sync.access',
  token: 'sync.access',
  webhook: 'sync.webhooks',
  dataset: 'sync.datasets',
  rejection: 'sync.replays',
  job: 'sync.jobs',
  conflict: 'sync.conflicts',
  projection: 'sync.projections',
}
/** Longer than it takes others to take over from a decider that has died. */
const TIMEOUT_MS = 15_000

/** Puts commands on the log and waits for what a decider makes of them. */
export interface Commands {
  /**
   * Resolves when the command was accepted, with a position that includes its events: readers may have yet to see them.
   * Rejects with the refusal, or UNAVAILABLE when nobody decides.
   */
  send(aggregate: string, command: Command, by: { actor: string; requestId: string }): Promise<Position>
  stop(): Promise<void>
}

export async function startCommands(log: Log, logger: Logger): Promise<Commands> {
  const codec = createCodec(log)
  const waiting = new Map<string, (outcome: CommandDecided) => void>()
  const ends = await log.ends(OUTCOMES)
  const followers = log.streams(OUTCOMES).map(stream =>
    followStream({
      log,
      stream,
      after: ends.get(stream.name)!,
      logger,
      maxEvents: 1000,
      maxBytes: 1_048_576,
      async onPage({ events }) {
        await codec.prepare(events)
        for (const { value } of events) {
          const outcome = codec.decode(value).data as CommandDecided
          waiting.get(outcome.command_id)?.(outcome)
        }
      },
    }),
  )

  return {
    async send(aggregate, { type, data }, { actor, requestId }) {
      const at = Date.now()
      const command_id = newId('cmd', 16)
      const payload = JSON.stringify(data)
      const command = { command_id, aggregate, type, payload, actor, request_id: requestId, at }
      const decided = new Promise<CommandDecided>((resolve, reject) => {
        const timeout = () => reject(new DomainError('UNAVAILABLE', 'no decider has answered yet', { retryAfter: 5 }))
        const timer = setTimeout(timeout, TIMEOUT_MS)
        waiting.set(command_id, outcome => {
          clearTimeout(timer)
          resolve(outcome)
        })
      })
      try {
        const [outcome] = await Promise.all([
          decided,
          log.append([codec.batch(COMMANDS, 'CommandIssued', aggregate, command)]),
        ])
        if (outcome.code !== null) throw new DomainError(outcome.code as ErrorCode, outcome.message ?? outcome.code)
        return await eventsOf(log, aggregate)
      } finally {
        waiting.delete(command_id)
      }
    },
    async stop() {
      await Promise.all(followers.map(follower => follower.stop()))
    },
  }
}

/** A place that includes the events of an aggregate's last decision, whose outcome is visible and they perhaps not yet. */
function eventsOf(log: Log, aggregate: string): Promise<Position> {
  return writtenUnder(log, EVENTS[aggregate.slice(0, aggregate.indexOf('/'))]!, aggregate)
}

/** A place that includes all that has been written to a topic under a key. */
export async function writtenUnder(log: Log, topic: string, key: string): Promise<Position> {
  const stream = streamOf(log, topic, key)
  return log.place(stream, await log.written(stream))
}

/** The stream of a topic that has what is written under a key. */
export function streamOf(log: Pick<Log, 'streams'>, topic: string, key: string): Stream {
  const streams = log.streams(topic)
  return streams[partitionOf(Buffer.from(key), streams.length)]!
}
