import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Kafka, logLevel } from 'kafkajs'
import { readTopics } from '../../src/adapters.ts'
import type { RecordChanged, RecordPushed } from '../../src/events/index.ts'
import { partitionOf } from '../../src/kernel/hash.ts'
import { type Codec, createCodec } from '../../src/log/codec.ts'
import type { Log, StoredEvent } from '../../src/log/log.ts'
import type { Faults } from './audit.ts'
import { readAll, readTopic } from './events.ts'
import { until } from './processes.ts'

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url))

export interface Migration {
  /** Null: it was killed. */
  readonly code: number | null
  readonly stdout: string
  /** What went wrong: without the lines that only tell how far it is. */
  readonly stderr: string
}

const PROGRESS = /^(looking at what is there|\d+ % {2}(checked|copied|compared) \d+ of \d+ events.*)\n/gm

/** Runs the command to its end, or kills it so long after it has found a log and a Kafka that go together. */
export function migrate(
  dataDir: string,
  env: Record<string, string>,
  { killAfterMs }: { killAfterMs?: number } = {},
): Promise<Migration> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', CLI, 'migrate'], {
    env: { PATH: process.env.PATH ?? '', DATA_DIR: dataDir, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const kill = () => void child.kill('SIGKILL')
  let timer: NodeJS.Timeout | undefined
  process.once('exit', kill)
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', chunk => {
    if (killAfterMs !== undefined) timer ??= setTimeout(kill, killAfterMs)
    stdout += chunk
  })
  child.stderr.on('data', chunk => {
    stderr += chunk
  })
  return new Promise(resolve => {
    child.on('close', code => {
      clearTimeout(timer)
      process.removeListener('exit', kill)
      resolve({ code, stdout, stderr: stderr.replace(PROGRESS, '') })
    })
  })
}

/** How many events of each topic the command says it has compared. */
export function comparedIn({ stdout }: Migration): Record<string, number> {
  return Object.fromEntries(
    [...stdout.matchAll(/^(sync\.\w+) +(\d+) .* ok$/gm)].map(([, name, count]) => [name, Number(count)]),
  )
}

function adminOf(brokers: string) {
  return new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING }).admin()
}

/** The topics of a Kafka that are the service's. */
export async function topicsOf(brokers: string): Promise<string[]> {
  const admin = adminOf(brokers)
  await admin.connect()
  const topics = await admin.listTopics()
  await admin.disconnect()
  return topics.filter(name => name.startsWith('sync.')).sort()
}

/** Deletes the service's topics and its groups' offsets, so that one broker serves many tests. */
export async function emptyKafka(brokers: string): Promise<void> {
  const topics = await topicsOf(brokers)
  const admin = adminOf(brokers)
  await admin.connect()
  if (topics.length > 0) await admin.deleteTopics({ topics })
  await until('the topics to be gone', async () => (await topicsOf(brokers)).length === 0)
  const { groups } = await admin.listGroups()
  const ours = groups.map(({ groupId }) => groupId).filter(id => id === 'decider' || id.startsWith('projector-'))
  if (ours.length > 0) await admin.deleteGroups(ours)
  await admin.disconnect()
}

/** The number that each group would read next, by topic and partition; those that have none are left out. */
export async function committedOf(brokers: string, group: string, topic: string): Promise<number[]> {
  const admin = adminOf(brokers)
  await admin.connect()
  const [found] = await admin.fetchOffsets({ groupId: group, topics: [topic] })
  await admin.disconnect()
  return found!.partitions.toSorted((a, b) => a.partition - b.partition).map(({ offset }) => Number(offset))
}

export const TOPICS = readTopics()
  .map(({ name }) => name)
  .filter(name => name !== 'sync.origins')

/**
 * Compares a copied log with the one it was copied from, by other means than the command's own: events as they are
 * decoded, in the order of their keys, each in the partition of its key, and each reference at what it pointed at.
 */
export async function auditCopy(from: Log, to: Log): Promise<Faults> {
  const faults: Faults = []
  for (const topic of TOPICS) {
    const [want, have] = [await keyed(from, topic), await keyed(to, topic)]
    if (want.size !== have.size) faults.push(`${topic}: ${have.size} keys instead of ${want.size}`)
    for (const [key, events] of want) {
      if (JSON.stringify(have.get(key)) !== JSON.stringify(events)) faults.push(`${topic}: ${key} differs`)
    }
    for (const stream of to.streams(topic)) {
      for (const { key, offset } of await readAll(to, stream)) {
        if (partitionOf(key, to.streams(topic).length) !== stream.partition)
          faults.push(`${stream.name} ${offset} belongs into another partition`)
      }
    }
  }
  faults.push(...(await auditReferences(from, to)))
  return faults.slice(0, 20)
}

const PLACES = new Set(['source_stream', 'source_offset', 'command_stream', 'command_offset'])

/** The events of a topic by their keys, without places, which are numbers of their log. */
async function keyed(log: Log, topic: string): Promise<Map<string, string[]>> {
  const codec = createCodec(log)
  const events = await readTopic(log, topic)
  await codec.prepare(events)
  const found = new Map<string, string[]>()
  for (const { key, value, time } of events) {
    const { type, data } = codec.decode(value)
    const name = key.toString()
    const shown = JSON.stringify([type, time, data], (field, each) => (PLACES.has(field) ? undefined : each))
    found.set(name, [...(found.get(name) ?? []), shown])
  }
  return found
}

/** Every change, conflict and outcome points at the same record, or command, in both logs. */
async function auditReferences(from: Log, to: Log): Promise<Faults> {
  const [want, have] = [await references(from), await references(to)]
  const missing = [...want].filter(each => !have.has(each))
  return missing.map(each => `nothing points as it did: ${each}`).slice(0, 5)
}

async function references(log: Log): Promise<Set<string>> {
  const codec = createCodec(log)
  const pointed = new Map<string, string>()
  for (const stream of [...log.streams('sync.records'), ...log.streams('sync.commands')]) {
    for (const event of await prepared(log, codec, stream)) {
      const data = codec.decode(event.value).data as RecordPushed & { command_id?: string }
      pointed.set(`${stream.name} ${event.offset}`, data.command_id ?? `${data.request_id} ${data.line} ${data.data}`)
    }
  }
  const found = new Set<string>()
  for (const stream of ['sync.changes', 'sync.conflicts', 'sync.outcomes'].flatMap(topic => log.streams(topic))) {
    for (const event of await prepared(log, codec, stream)) {
      const data = codec.decode(event.value).data as RecordChanged & {
        record_id?: string
        command_id?: string
        command_stream?: string
        command_offset?: number
      }
      const place = `${data.source_stream ?? data.command_stream} ${data.source_offset ?? data.command_offset}`
      found.add(
        `${data.command_id ?? `${data.dataset} ${data.id ?? data.record_id} ${data.version}`} at ${pointed.get(place)}`,
      )
    }
  }
  return found
}

async function prepared(log: Log, codec: Codec, stream: ReturnType<Log['streams']>[number]): Promise<StoredEvent[]> {
  const events = await readAll(log, stream)
  await codec.prepare(events)
  return events
}

export function logFile(dataDir: string): string {
  return join(dataDir, 'log.db')
}
