import { FORMATS, findFormat } from '../edge/history/exports.ts'
import { invalid } from '../kernel/errors.ts'
import { createApi } from './client.ts'
import { command } from './command.ts'
import { type Lines, readHistory } from './history.ts'
import { createPatience } from './patience.ts'
import { count, megabytes, showProgress } from './progress.ts'
import { intoFile, intoKafka } from './replay/targets.ts'

const OPTIONS = {
  topic: { value: 'T', about: 'only these topics, as sync.records,sync.changes' },
  type: { value: 'T', about: 'only these types of event, as RecordPushed' },
  key: { value: 'K', about: 'only events with this key' },
  from: { value: 'WHERE', about: 'after this position or time, as 2026-01-31T12:00:00Z; the beginning unless said' },
  to: { value: 'WHERE', about: 'up to this position or time, that included; the end as it is now unless said' },
  format: { value: 'F', about: 'ndjson (the default), csv or parquet' },
  output: { value: 'FILE', about: 'into a file instead of to stdout' },
  into: { value: 'TOPIC', about: 'into a Kafka topic at KAFKA_BROKERS: the key as it is, the event as JSON' },
} as const

export const replay = command({
  name: 'replay',
  summary: 'prints what happened, an event a line, oldest first, or copies it into a file or a Kafka topic',
  options: OPTIONS,
  about: `Reads GET /events of the running service, of any length in constant memory, up to the end as it was when it began. An event
is {id, topic, type, key, position, time, payload}; csv and parquet have the same columns, as GET /events/export has them.

When the service restarts, or the connection is cut, it goes on after the last event that came: none is missed or comes twice.
It then goes on to what is the end by that time, unless --to says where it is.`,
  examples: [
    {
      about: 'who was pushed since the last of May',
      line: 'superinsight-sync replay --type RecordPushed --from 2026-05-31',
    },
    {
      about: 'all changes as a file that DuckDB and pandas read',
      line: 'superinsight-sync replay --topic sync.changes --format parquet --output changes.parquet',
    },
    {
      about: 'a copy for somebody else, as JSON',
      line: 'KAFKA_BROKERS=127.0.0.1:9092 SCHEMA_REGISTRY_URL=http://127.0.0.1:8081 superinsight-sync replay --into copy',
    },
  ],
  exits: { 0: 'everything that was asked for has been read and written' },
  async run({ config, options }) {
    const { output, into, format = 'ndjson' } = options
    if (into !== undefined && (output !== undefined || format !== 'ndjson'))
      throw invalid('--into', 'a Kafka topic takes events as JSON, and no file or format beside it')
    if (into !== undefined && config.kafkaBrokers.length === 0) throw invalid('--into', 'it needs KAFKA_BROKERS')
    const found = findFormat(format)
    if (!found) throw invalid('--format', `"${format.slice(0, 60)}" is none of ${FORMATS.join(', ')}`)
    const query = new URLSearchParams()
    for (const name of ['topic', 'type', 'key', 'from', 'to'] as const)
      if (options[name] !== undefined) query.set(name, options[name])

    let [events, bytes, began] = [0, 0, performance.now()]
    const text = () =>
      `${count(events)} events, ${megabytes(bytes)}, ${count(events / ((performance.now() - began) / 1000))} a second`
    // Where the events themselves are on the screen there is no room for it.
    const shown = into !== undefined || output !== undefined || !process.stdout.isTTY
    const progress = shown ? showProgress(() => ({ text: text() })) : undefined
    const note = (line: string) => (progress ? progress.note(line) : console.error(line))
    const patience = createPatience(error => note(`${error.message}; trying again`))
    async function* counted(): AsyncGenerator<Lines> {
      for await (const lines of readHistory(createApi(config), query, patience)) {
        events += lines.count
        bytes += lines.bytes.length
        yield lines
      }
    }
    try {
      if (into === undefined) await intoFile(counted(), output, format === 'ndjson' ? undefined : found)
      else await intoKafka(counted(), config.kafkaBrokers, into)
    } finally {
      progress?.stop()
    }
    return 0
  },
})
