import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { Kafka, logLevel, type Message } from 'kafkajs'
import type { Config } from '../config.ts'
import { DomainError, invalid } from '../kernel/errors.ts'
import { fetchToken, serviceUrl } from './client.ts'

export const REPLAY_HELP = `superinsight-sync replay: what happened, an event a line, oldest first

  --topic T       only these topics, as sync.records,sync.changes
  --type T        only these types of event, as RecordPushed
  --key K         only events with this key
  --from WHERE    after this position or time, as 2026-01-31T12:00:00Z; the beginning unless said
  --to WHERE      up to this position or time, that included; the end as it is now unless said
  --format F      ndjson (the default), csv or parquet
  --output FILE   into a file instead of to stdout
  --into TOPIC    into a Kafka topic at KAFKA_BROKERS: the key as it is, the event as JSON

It asks the running service at HOST and PORT. Exit code 0 when everything that was asked for has been read.`

const TEXT = { type: 'string' } as const

/** As `parseArgs` takes them. */
export const REPLAY_OPTIONS = {
  ...{ topic: TEXT, type: TEXT, key: TEXT, from: TEXT, to: TEXT },
  ...{ format: TEXT, output: TEXT, into: TEXT },
}

export type ReplayOptions = { readonly [Name in keyof typeof REPLAY_OPTIONS]?: string | undefined }

/** Messages in one request to a broker. */
const BATCH = 1000
const TELL_MS = 500

/** Reads the history from the service and passes it on. Throws what the service refuses, or when it breaks off. */
export async function replay(config: Config, options: ReplayOptions): Promise<void> {
  const { output, into, format = 'ndjson', topic, type, key, from, to } = options
  if (into !== undefined && (output !== undefined || format !== 'ndjson')) {
    throw invalid('into', 'a Kafka topic takes events as JSON, and no file or format beside it')
  }
  if (into !== undefined && config.kafkaBrokers.length === 0) throw invalid('into', 'it needs KAFKA_BROKERS')
  const query = new URLSearchParams({ format })
  for (const [name, value] of Object.entries({ topic, type, key, from, to }))
    if (value !== undefined) query.set(name, value)
  const headers = { authorization: `Bearer ${await fetchToken(config)}` }
  const answer = await fetch(`${serviceUrl(config)}/events/export?${query}`, { headers })
  if (!answer.ok) {
    const { error } = (await answer.json()) as { error: { message: string } }
    throw new DomainError('VALIDATION_ERROR', error.message)
  }
  let brokenOff: Error | undefined
  const body = Readable.fromWeb(answer.body as ReadableStream)
  body.on('error', error => {
    brokenOff = error
  })
  try {
    if (into === undefined) await intoFile(body, output)
    else await intoKafka(body, config.kafkaBrokers, into)
  } catch (error) {
    if (!brokenOff) throw error
    const message = 'the service broke the history off: go on with --from and the position of the last event'
    throw new DomainError('UNAVAILABLE', `${message} (${brokenOff.message})`)
  }
}

async function intoFile(body: Readable, output: string | undefined): Promise<void> {
  const target = output === undefined ? process.stdout : createWriteStream(output)
  const progress = tell(output !== undefined, 'MB')
  try {
    for await (const piece of body) {
      progress.add((piece as Buffer).length / 2 ** 20)
      if (!target.write(piece)) await once(target, 'drain')
    }
    if (output !== undefined)
      await new Promise<void>((resolve, reject) => {
        target.once('error', reject)
        ;(target as ReturnType<typeof createWriteStream>).end(() => resolve())
      })
  } finally {
    progress.stop()
  }
}

async function intoKafka(body: Readable, brokers: readonly string[], topic: string): Promise<void> {
  const kafka = new Kafka({
    clientId: 'superinsight-sync-replay',
    brokers: [...brokers],
    logLevel: logLevel.NOTHING,
  })
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  const progress = tell(true, 'events')
  try {
    let messages: Message[] = []
    const send = async () => {
      if (messages.length > 0) await producer.send({ topic, acks: -1, messages })
      progress.add(messages.length)
      messages = []
    }
    for await (const line of createInterface({ input: body, crlfDelay: Number.POSITIVE_INFINITY })) {
      const { key, time, id, type } = JSON.parse(line) as { key: string; time: string; id: string; type: string }
      messages.push({ key, value: line, timestamp: String(Date.parse(time)), headers: { id, type } })
      if (messages.length === BATCH) await send()
    }
    await send()
  } finally {
    progress.stop()
    await producer.disconnect()
  }
}

/** Says on a terminal how far it is. */
function tell(wanted: boolean, unit: string): { add(amount: number): void; stop(): void } {
  if (!wanted || !process.stderr.isTTY) return { add: () => undefined, stop: () => undefined }
  let done = 0
  const show = () => process.stderr.write(`\r${Math.floor(done).toLocaleString('en')} ${unit}`)
  const timer = setInterval(show, TELL_MS)
  return {
    add(amount) {
      done += amount
    },
    stop() {
      clearInterval(timer)
      show()
      process.stderr.write('\n')
    },
  }
}
