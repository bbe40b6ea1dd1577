import type { LogCopied } from '../../events/index.ts'
import { withoutPassword } from '../../kernel/address.ts'
import { DomainError } from '../../kernel/errors.ts'
import { encodePosition, type Position, streamName } from '../../kernel/position.ts'
import { declareCheckpoints } from '../kafka-checkpoints.ts'
import { ORIGINS } from '../kafka-origins.ts'
import { declareTopics } from '../kafka-topics.ts'
import type { TopicSpec } from '../log.ts'
import { checkSource, type Tally } from './check.ts'
import { commitHandled, type Handled, requireNobody } from './groups.ts'
import { type Layout, layouts as layOut } from './layout.ts'
import { createRewriter } from './rewrite.ts'
import { openSource, type Source } from './source.ts'
import {
  brokenOff,
  markOf,
  openTarget,
  refused,
  type StreamState,
  survey,
  type Target,
  type TargetOptions,
} from './target.ts'
import { type Verified, verifyTopic } from './verify.ts'
import { openWriter } from './write.ts'

export interface MigrateOptions extends TargetOptions {
  /** The embedded log's file. */
  readonly file: string
  readonly topics: readonly TopicSpec[]
  readonly schemas: Readonly<Record<string, object>>
  readonly report: Report
}

export type { Verified }

export type Stage = 'checking' | 'copying' | 'verifying'

/** Told what happens, as it happens. */
export interface Report {
  /** A log was found that can be copied. */
  begins(from: { log: string; head: number }, to: { log: string }): void
  /** So much of a stage is done, in events of the source, of all that it has to do. */
  progress(stage: Stage, done: number, all: number): void
  verified(topic: Verified): void
}

export interface Migrated {
  /** Events that this run wrote. */
  readonly written: number
  readonly topics: readonly Verified[]
}

/** Everything a copy works with, once both ends are known. */
interface Copy extends Omit<MigrateOptions, 'topics'> {
  readonly source: Source
  readonly target: Target
  /** What is copied: all topics but the one that tells of the copy. */
  readonly topics: readonly TopicSpec[]
  readonly declared: readonly TopicSpec[]
  readonly mark: LogCopied | undefined
}

/**
 * Copies an embedded log to Kafka and compares the two. What is there already is not written again, wherever an earlier
 * run ended. Nothing is written before the whole log was read and found undamaged, and Kafka was found to be empty or to
 * hold a copy of this very log. When a difference is found the copy stays unfinished, and no service starts on it.
 */
export async function migrate(options: MigrateOptions): Promise<Migrated> {
  const source = openSource(options.file)
  try {
    const target = await openTarget(options, options.topics)
    try {
      const topics = options.topics.filter(({ name }) => name !== ORIGINS)
      return await run({ ...options, topics, declared: options.topics, source, target, mark: await markOf(target) })
    } catch (error) {
      throw (error as Error).name.startsWith('KafkaJS') ? brokenOff(`Kafka: ${(error as Error).message}`) : error
    } finally {
      await target.close()
    }
  } finally {
    source.close()
  }
}

async function run(copy: Copy): Promise<Migrated> {
  const { source, target, topics, mark, report } = copy
  const states = await survey(target, source.id, mark)
  report.begins({ log: source.id, head: source.head }, { log: target.id })
  const layouts = layOut(topics, topic => target.streams.get(topic.name)?.length ?? topic.partitions, Date.now())
  const tallies = await checkSource({
    source,
    layouts,
    copiedThrough: (topic, partition) => states.get(streamName(topic, partition))?.through ?? -1,
    onProgress: offset => report.progress('checking', offset + 1, source.head + 1),
  })
  const left = sum(tallies, tally => tally.events - tally.copied)
  const own = [...states.values()].find(state => state.own)
  if (own && left > 0) {
    throw refused(
      `${own.stream.name} has had events of its own since the copy was finished, from offset ${own.end} on, and ` +
        `DATA_DIR's log has ${left} new ones: the two have parted, and cannot be made one again`,
    )
  }
  if (mark?.finished && left === 0) {
    const schemaIds = await registerSchemas(copy)
    return {
      written: 0,
      topics: await verify(copy, layouts, tallies, states, basesOf(layouts, tallies, states), schemaIds),
    }
  }
  return write(copy, layouts, tallies, states, left)
}

function sum(tallies: ReadonlyMap<string, readonly Tally[]>, of: (tally: Tally) => number): number {
  return [...tallies.values()].flat().reduce((total, tally) => total + of(tally), 0)
}

async function write(
  copy: Copy,
  layouts: ReadonlyMap<string, Layout>,
  tallies: ReadonlyMap<string, readonly Tally[]>,
  before: ReadonlyMap<string, StreamState>,
  left: number,
): Promise<Migrated> {
  const { source, target, topics, declared, mark, report } = copy
  await requireNobody(target, [...new Set(source.checkpoints.map(({ group }) => group))])
  const schemaIds = await registerSchemas(copy)
  await declareTopics(target.admin, declared, target.streams)
  await declareCheckpoints(target.admin)
  for (const [topic, { partitions }] of layouts) {
    const there = target.streams.get(topic)!.length
    if (there !== partitions) throw refused(`${topic} had ${partitions} partitions a moment ago and has ${there} now`)
  }
  const states = new Map(
    topics
      .flatMap(({ name }) => target.streams.get(name)!)
      .map(stream => [stream.name, before.get(stream.name) ?? { stream, start: 0, end: 0, through: -1, own: false }]),
  )
  let written = 0
  const writer = await openWriter({
    target,
    source,
    onWritten(events) {
      written += events
      report.progress('copying', written, left)
    },
  })
  try {
    const known = { through: mark?.through ?? -1, position: mark?.position ?? encodePosition(beginning(target)) }
    await writer.mark({ log: source.id, finished: false, ...known, at: Date.now() })
    const bases = basesOf(layouts, tallies, states)
    const rewrite = createRewriter({ source, layouts, bases, schemaIds })
    for (const layout of layouts.values()) await writer.copy(layout, states, rewrite)

    const after = await survey(target, source.id, mark)
    const verified = await verify(copy, layouts, tallies, after, bases, schemaIds)
    if (verified.some(({ difference }) => difference !== undefined)) return { written, topics: verified }
    await commitHandled(target, source.id, handledOf(source, tallies, bases))
    const offsets = new Map([...after].map(([name, { end }]) => [name, end - 1]))
    const position = encodePosition({ log: target.id, offsets })
    await writer.mark({ log: source.id, finished: true, through: source.head, position, at: Date.now() })
    return { written, topics: verified }
  } finally {
    await writer.close()
  }
}

function beginning({ id }: Target): Position {
  return { log: id, offsets: new Map() }
}

/** The registry's id for each schema that a writer of the source used: older ones go in first, as they came. */
async function registerSchemas({ source, target, declared, schemas, registryUrl }: Copy): Promise<Map<number, number>> {
  const ids = new Map<number, number>()
  try {
    for (const { id, name, body } of source.schemas) {
      const topic = declared.find(({ records }) => records.includes(name))
      if (topic) ids.set(id, await target.schemas.registerOne(topic, name, body))
    }
    await target.schemas.register(declared, schemas)
  } catch (error) {
    const message = `SCHEMA_REGISTRY_URL=${withoutPassword(registryUrl)}: a schema cannot be registered: ${(error as Error).message}`
    throw new DomainError('UNAVAILABLE', message)
  }
  return ids
}

/**
 * Copied events follow one another without a hole, so what Kafka has beyond what the source still has of them is what
 * retention has taken from the source since. Where there is no retention, there is nothing beyond.
 */
function basesOf(
  layouts: ReadonlyMap<string, Layout>,
  tallies: ReadonlyMap<string, readonly Tally[]>,
  states: ReadonlyMap<string, StreamState>,
): Map<string, number[]> {
  const bases = new Map<string, number[]>()
  for (const [topic, { forgets }] of layouts) {
    const ofTopic = tallies.get(topic)!.map(({ copied }, partition) => {
      const name = streamName(topic, partition)
      const { end = 0, through = -1 } = states.get(name) ?? {}
      const base = end - copied
      if (base === 0 || (base > 0 && forgets)) return base
      throw refused(
        `${name} has ${end} events up to event ${through} of the log, which has ${copied} there: ` +
          'delete the topics and run migrate again',
      )
    })
    bases.set(topic, ofTopic)
  }
  return bases
}

async function verify(
  { source, target, report }: Copy,
  layouts: ReadonlyMap<string, Layout>,
  tallies: ReadonlyMap<string, readonly Tally[]>,
  states: ReadonlyMap<string, StreamState>,
  bases: ReadonlyMap<string, readonly number[]>,
  schemaIds: ReadonlyMap<number, number>,
): Promise<Verified[]> {
  const all = sum(tallies, ({ events }) => events)
  const rewrite = createRewriter({ source, layouts, bases, schemaIds })
  const verified: Verified[] = []
  let done = 0
  for (const [topic, layout] of layouts) {
    const ofTopic = target.streams.get(topic)!.map(({ name }) => states.get(name)!)
    const result = await verifyTopic({
      source,
      reader: target.reader,
      layout,
      base: bases.get(topic)!,
      states: ofTopic,
      rewrite,
      onProgress() {
        done++
        report.progress('verifying', done, all)
      },
    })
    report.verified(result)
    verified.push(result)
  }
  return verified
}

/** How far each group has come, in places of Kafka: behind the last of its events that it has handled here. */
function handledOf(
  source: Source,
  tallies: ReadonlyMap<string, readonly Tally[]>,
  bases: ReadonlyMap<string, readonly number[]>,
): Handled[] {
  return source.checkpoints.flatMap(({ group, topic }) =>
    (tallies.get(topic) ?? []).map((tally, partition) => ({
      group,
      topic,
      partition,
      next: bases.get(topic)![partition]! + (tally.handled.get(group) ?? 0),
    })),
  )
}
