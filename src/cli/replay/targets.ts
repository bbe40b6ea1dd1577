import { createWriteStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import type { Message } from 'kafkajs'
import type { HistoryEvent } from '../../edge/history/events.ts'
import type { ExportFormat } from '../../edge/history/exports.ts'
import { DomainError, invalid } from '../../kernel/errors.ts'
import { contextOf } from '../../log/cloud-events.ts'
import type { Lines } from '../history.ts'

/** Messages in one request to a broker. */
const BATCH = 1000
const PAYLOAD = '"payload":'

/** Writes what is read to a file, or to stdout; the file's bytes are those of an export in that format. */
export async function intoFile(
  read: AsyncIterable<Lines>,
  output: string | undefined,
  format: ExportFormat | undefined,
): Promise<void> {
  const pieces = format ? encoded(read, format) : plain(read)
  if (output === undefined) return pipeline(pieces, process.stdout, { end: false })
  // A file that is there stays as it is when the service refuses what is asked for.
  const first = await pieces.next()
  try {
    await pipeline(begunWith(first, pieces), createWriteStream(output))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error
    throw invalid('--output', (error as Error).message)
  }
}

async function* begunWith<T>(first: IteratorResult<T>, rest: AsyncIterable<T>): AsyncGenerator<T> {
  if (first.done) return
  yield first.value
  yield* rest
}

async function* plain(read: AsyncIterable<Lines>): AsyncGenerator<Buffer> {
  for await (const { bytes } of read) yield bytes
}

async function* encoded(read: AsyncIterable<Lines>, { chunk, encoder }: ExportFormat): AsyncGenerator<string | Buffer> {
  const encoding = encoder()
  for await (const { bytes } of read) {
    for (const line of linesOf(bytes)) {
      encoding.add(eventOf(line))
      if (encoding.size >= chunk) yield encoding.take()
    }
  }
  yield encoding.end()
}

/**
 * Copies what is read into a topic, which should be there: keys as they are, each event as its JSON. Throws UNAVAILABLE when
 * the brokers do not take it.
 */
export async function intoKafka(read: AsyncIterable<Lines>, brokers: readonly string[], topic: string): Promise<void> {
  const { Kafka, logLevel } = await import('kafkajs')
  const kafka = new Kafka({ clientId: 'superinsight-sync-replay', brokers: [...brokers], logLevel: logLevel.NOTHING })
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
  try {
    await producer.connect()
    for await (const { bytes } of read) {
      const messages = linesOf(bytes).map(messageOf)
      for (let at = 0; at < messages.length; at += BATCH) {
        await producer.send({ topic, acks: -1, messages: messages.slice(at, at + BATCH) })
      }
    }
  } catch (error) {
    const { name, message } = error as Error
    if (!name.startsWith('KafkaJS')) throw error
    throw new DomainError('UNAVAILABLE', `--into: ${topic} at ${brokers.join(',')}: ${message}`)
  } finally {
    await producer.disconnect()
  }
}

function messageOf(line: string): Message {
  const { key, time, id, type, position } = eventOf(line)
  const context = contextOf(position.slice(0, position.indexOf('~')), type)
  const headers = { id, type, ...context, ce_id: id, ce_time: time, 'content-type': 'application/json' }
  return { key, value: line, timestamp: String(Date.parse(time)), headers }
}

function linesOf(bytes: Buffer): string[] {
  return bytes.toString().split('\n').slice(0, -1)
}

/** The event of a line, its payload as the text that it is: a number there may be one that JSON.parse would change. */
function eventOf(line: string): HistoryEvent {
  // Quotes in what comes before it are escaped, and it is last.
  const at = line.indexOf(PAYLOAD)
  return { ...JSON.parse(`${line.slice(0, at - 1)}}`), payload: line.slice(at + PAYLOAD.length, -1) }
}
