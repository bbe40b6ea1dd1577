import type { ShownTopic } from '../edge/history/topics.ts'
import { createApi } from './client.ts'
import { command } from './command.ts'
import { duration } from './progress.ts'

type Column = readonly [title: string, of: (topic: ShownTopic) => string, align?: 'right']

const COLUMNS: readonly Column[] = [
  ['TOPIC', ({ topic }) => topic],
  ['PARTITIONS', ({ partitions }) => String(partitions), 'right'],
  ['EVENTS', ({ events }) => events.toLocaleString('en'), 'right'],
  ['FIRST', ({ first_at }) => short(first_at)],
  ['LAST', ({ last_at }) => short(last_at)],
  ['KEPT', kept],
  ['READ BY', ({ readers }) => readers.join(', ')],
]

export const topics = command({
  name: 'topics',
  summary: 'shows each topic: how much is in it, from when to when, how long it is kept, who reads it',
  options: { json: { about: 'the answer of GET /topics as it is, with positions, keys and types' } },
  about: `Asks the running service. Times are those at which the log took an event in, UTC. On Kafka EVENTS counts the marks of
transactions too.`,
  examples: [
    { about: 'what there is', line: 'superinsight-sync topics' },
    { about: 'positions too, for programs', line: 'superinsight-sync topics --json' },
  ],
  async run({ config, options }) {
    const answer = await createApi(config)('/topics')
    if (options.json) console.log(await answer.text())
    else console.log(table(((await answer.json()) as { items: ShownTopic[] }).items))
    return 0
  },
})

function kept({ cleanup_policy, retention_seconds }: ShownTopic): string {
  if (cleanup_policy === 'compact') return 'last of each key'
  if (retention_seconds === null) return 'for ever'
  return retention_seconds < 86_400 ? duration(retention_seconds) : `${Math.round(retention_seconds / 86_400)} days`
}

function short(time: string | null): string {
  return time === null ? '-' : time.slice(0, 19).replace('T', ' ')
}

function table(topics: readonly ShownTopic[]): string {
  const rows = [COLUMNS.map(([title]) => title), ...topics.map(topic => COLUMNS.map(([, of]) => of(topic)))]
  const widths = COLUMNS.map((_, column) => Math.max(...rows.map(row => row[column]!.length)))
  const cell = (text: string, column: number) =>
    COLUMNS[column]![2] === 'right' ? text.padStart(widths[column]!) : text.padEnd(widths[column]!)
  return rows.map(row => row.map(cell).join('  ').trimEnd()).join('\n')
}
