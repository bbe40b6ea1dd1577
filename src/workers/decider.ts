import { type AccessCommand, type AccessEvent, type AccessState, accessDecider, isOver } from '../domain/access.ts'
import type { CommandIssued } from '../events/index.ts'
import { type Codec, createCodec } from '../log/codec.ts'
import { isAlreadyConsumed } from '../log/consumed.ts'
import type { EventBatch, Log, StoredEvent, Stream } from '../log/log.ts'
import type { Logger } from '../telemetry/logger.ts'
import { shareOut } from './share-out.ts'

export interface DeciderOptions {
  log: Log
  logger: Logger
  /** Told which streams of commands are decided here from now on. */
  onHolding: (streams: readonly Stream[]) => void
  /** Told how far each stream has been decided. */
  onProgress: (stream: string, through: number) => void
}

const GROUP = 'decider'
export const COMMANDS = 'sync.commands'
const OUTCOMES = 'sync.outcomes'
const EVENTS = 'sync.access'
const LIMITS = { maxEvents: 100, maxBytes: 1_048_576 }
/** How many offsets go by between two looks for states that are over. */
const FORGET_EVERY = 1000

/**
 * Decides commands: for each, state = fold(evolve), then decide, then its events and its outcome in one append with
 * the command's offset, so that it counts once whatever dies in between. One decider owns a stream of commands at a
 * time; the log fences whoever owned it before.
 */
export function startDecider(options: DeciderOptions): Promise<{ stop(): Promise<void> }> {
  const { log, logger, onHolding } = options
  const run = (stream: Stream, signal: AbortSignal) => decide(options, stream, signal)
  return shareOut({ log, group: GROUP, topic: COMMANDS, logger, onHolding, run })
}

async function decide({ log, onProgress }: DeciderOptions, stream: Stream, signal: AbortSignal): Promise<void> {
  const codec = createCodec(log)
  let after = await log.own(GROUP, stream)
  onProgress(stream.name, after)
  const states = await foldAll(log, codec)
  while (!signal.aborted) {
    const page = await log.read(stream, after, { ...LIMITS, waitMs: 1000, signal })
    await codec.prepare(page.events)
    for (const event of page.events) await handle(log, codec, states, stream, event)
    after = page.through
    onProgress(stream.name, after)
  }
}

/** The state of every aggregate, from the events decided so far. */
async function foldAll(log: Log, codec: Codec): Promise<Map<string, AccessState>> {
  const states = new Map<string, AccessState>()
  for (const stream of log.streams(EVENTS)) {
    const end = (await log.ends(EVENTS)).get(stream.name)!
    for (let after = -1; after < end; ) {
      const page = await log.read(stream, after, { maxEvents: 10_000, maxBytes: 8_388_608, waitMs: 1000 })
      await codec.prepare(page.events)
      for (const { key, value } of page.events) evolve(states, key.toString(), codec.decode(value) as AccessEvent)
      after = page.through
    }
  }
  return states
}

function evolve(states: Map<string, AccessState>, aggregate: string, event: AccessEvent): void {
  states.set(aggregate, accessDecider.evolve(states.get(aggregate) ?? accessDecider.initial, event))
}

async function handle(
  log: Log,
  codec: Codec,
  states: Map<string, AccessState>,
  stream: Stream,
  event: StoredEvent,
): Promise<void> {
  const command = codec.decode(event.value).data as CommandIssued
  const { command_id, aggregate, actor, at } = command
  const asked = { type: command.type, data: JSON.parse(command.payload), meta: { command_id, actor, at } }
  const state = states.get(aggregate) ?? accessDecider.initial
  const { events, refusal } = accessDecider.decide(state, asked as AccessCommand & { meta: typeof asked.meta })
  const batches: EventBatch[] = events.map(({ type, data }) => codec.batch(EVENTS, type, aggregate, data))
  const outcome = {
    command_id,
    aggregate,
    code: refusal?.code ?? null,
    message: refusal?.message ?? null,
    command_stream: stream.name,
    command_offset: event.offset,
  }
  batches.push(codec.batch(OUTCOMES, 'CommandDecided', aggregate, outcome))
  try {
    await log.append(batches, { consumed: { group: GROUP, stream, offset: event.offset } })
  } catch (error) {
    // Already handled: its events are in the log, and were folded when this decider began.
    if (isAlreadyConsumed(error)) return
    throw error
  }
  for (const decided of events) evolve(states, aggregate, decided)
  if (event.offset % FORGET_EVERY === 0) for (const [name, each] of states) if (isOver(each, at)) states.delete(name)
}
