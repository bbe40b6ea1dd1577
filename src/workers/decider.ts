import { type DecidedEvent, deciders, findRules } from '../domain/deciders.ts'
import { type CommandIssued, type Events, topicOf } from '../events/index.ts'
import { type Decision, refuse } from '../kernel/decider.ts'
import { type Codec, createCodec } from '../log/codec.ts'
import type { EventBatch, Log, Page, Stream } from '../log/log.ts'
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
/** Commands that are decided in one append: on Kafka each one is a transaction, which costs as much as a hundred do. */
const LIMITS = { maxEvents: 100, maxBytes: 4_194_304 }
/** How many offsets go by between two looks for states that are over. */
const FORGET_EVERY = 1000

/** The state of every aggregate by its name, as its own decider has it. */
type States = Map<string, unknown>

/**
 * Decides commands: for each, state = fold(evolve), then decide. The events and outcomes of a page go out in one append
 * with the offset of its last command, so that each counts once whatever dies in between. One decider owns a stream of
 * commands at a time; the log fences whoever owned it before.
 */
export function startDecider(options: DeciderOptions): Promise<{ stop(): Promise<void> }> {
  const { log, logger, onHolding } = options
  const run = (stream: Stream, signal: AbortSignal) => decide(options, stream, signal)
  return shareOut({ log, group: GROUP, topic: COMMANDS, logger, onHolding, run })
}

async function decide(options: DeciderOptions, stream: Stream, signal: AbortSignal): Promise<void> {
  const { log, onProgress } = options
  const codec = createCodec(log)
  let after = await log.own(GROUP, stream)
  onProgress(stream.name, after)
  const states = await foldAll(log, codec, stream)
  let forgotten = after
  while (!signal.aborted) {
    const page = await log.read(stream, after, { ...LIMITS, waitMs: 1000, signal })
    await codec.prepare(page.events)
    if (page.events.length > 0) await decidePage(options, codec, states, stream, page)
    after = page.through
    onProgress(stream.name, after)
    if (after - forgotten > FORGET_EVERY) {
      forget(states, page.events.at(-1)?.time ?? 0)
      forgotten = after
    }
  }
}

/**
 * The states that commands of a stream may ask for, from the events decided so far. A topic with as many partitions as
 * there are streams of commands has an aggregate's events in the partition of its commands: both go by its name.
 */
async function foldAll(log: Log, codec: Codec, commands: Stream): Promise<States> {
  const states: States = new Map()
  const aligned = log.streams(COMMANDS).length
  for (const topic of new Set(Object.values(deciders).map(rules => rules.topic))) {
    const streams = log.streams(topic)
    const wanted = streams.length === aligned ? [streams[commands.partition]!] : streams
    const ends = await log.ends(topic)
    for (const stream of wanted) {
      for (let after = -1; after < ends.get(stream.name)!; ) {
        const page = await log.read(stream, after, { maxEvents: 10_000, maxBytes: 8_388_608, waitMs: 1000 })
        await codec.prepare(page.events)
        for (const { key, value } of page.events) evolve(states, key.toString(), codec.decode(value))
        after = page.through
      }
    }
  }
  return states
}

function evolve(states: States, aggregate: string, event: DecidedEvent): void {
  const decider = findRules(aggregate)?.decider
  if (!decider) return
  const state = decider.evolve(states.has(aggregate) ? states.get(aggregate) : decider.initial, event)
  // One that is as at its beginning says no more than its absence: most conflicts are only ever found.
  if (state === decider.initial) states.delete(aggregate)
  else states.set(aggregate, state)
}

async function decidePage(
  { log, logger }: DeciderOptions,
  codec: Codec,
  states: States,
  stream: Stream,
  page: Page,
): Promise<void> {
  const batches: EventBatch[] = []
  for (const { offset, value } of page.events) {
    const command = codec.decode(value).data as CommandIssued
    const { command_id, aggregate } = command
    const { events, encoded, refusal } = answer(codec, states, command, logger)
    batches.push(...encoded)
    for (const event of events) if (event.key === undefined) evolve(states, aggregate, event)
    const { code = null, message = null } = refusal ?? {}
    const place = { command_stream: stream.name, command_offset: offset }
    const outcome = { command_id, aggregate, code, message, ...place }
    batches.push(codec.batch(topicOf.CommandDecided, 'CommandDecided', aggregate, outcome))
  }
  // When it fails, the states are ahead of the log: whoever decides this stream next folds them anew.
  await log.append(batches, { consumed: { group: GROUP, stream, offset: page.events.at(-1)!.offset } })
}

type Answered = Decision<DecidedEvent> & { readonly encoded: readonly EventBatch[] }

/**
 * Decides a command. One that cannot be, from a newer version say, would fail again each time it is tried: it is refused,
 * so that it does not keep the others waiting for ever.
 */
function answer(codec: Codec, states: States, command: CommandIssued, logger: Logger): Answered {
  const { command_id, aggregate } = command
  try {
    const decision = decideOne(states, command)
    const encoded = decision.events.map(({ type, key = aggregate, data }) => {
      const name = type as keyof Events
      return codec.batch(topicOf[name], name, key, data as Events[typeof name])
    })
    return { ...decision, encoded }
  } catch (error) {
    logger.error({ err: error, command_id, aggregate, type: command.type }, 'a command cannot be decided')
    const message = `${command.type.slice(0, 100)} cannot be decided; ${command_id} is in our logs`
    return { ...refuse<DecidedEvent>('INTERNAL_ERROR', message), encoded: [] }
  }
}

function decideOne(states: States, command: CommandIssued): Decision<DecidedEvent> {
  const { command_id, aggregate, type, payload, actor, request_id, at } = command
  const decider = findRules(aggregate)?.decider
  if (!decider) return refuse('NOT_FOUND', `nobody here decides ${aggregate}`)
  const asked = { type, data: JSON.parse(payload), meta: { command_id, actor, request_id, at } }
  return decider.decide(states.has(aggregate) ? states.get(aggregate) : decider.initial, asked)
}

function forget(states: States, now: number): void {
  for (const [aggregate, state] of states) {
    if (findRules(aggregate)?.isOver?.(state as never, now)) states.delete(aggregate)
  }
}
