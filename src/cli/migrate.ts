import { copyLogToKafka } from '../adapters.ts'
import type { Config } from '../config.ts'
import { withoutPassword } from '../kernel/address.ts'
import { crashAt } from '../kernel/points.ts'
import type { Report, Stage, Verified } from '../log/migrate/migrate.ts'
import { command } from './command.ts'
import { showProgress, type Told } from './progress.ts'

// As in thread.ts: the fault tests make it die at a point.
if (process.env.CRASH_AT) crashAt(process.env.CRASH_AT, () => process.kill(process.pid, 'SIGKILL'))

export const migrate = command({
  name: 'migrate',
  summary: 'copies the embedded log in DATA_DIR to Kafka',
  options: {},
  about: `Stop the service first. The command reads the whole log once and holds every batch against its checksum, then copies
every event of every topic, in order, with its key and time, and how far the decider and the projector have come. Then it
reads all of it back out of Kafka, compares it event by event, and prints each topic with its count and checksum.

  - Run again it writes nothing twice, and goes on from where it was: after kill -9, after a broker was lost, and when the
    log in DATA_DIR has grown since, as long as Kafka has had no events of its own.
  - Until it has finished no service starts on that Kafka.
  - It refuses a Kafka whose topics hold other events, and a log that is damaged, before it writes anything.
  - Positions that were given out before stay valid. DATA_DIR is left as it is.
  - The read store is not copied: it fills again from the topics when the service starts.`,
  examples: [
    {
      about: 'copy ./data, whose service is stopped',
      line: 'DATA_DIR=./data KAFKA_BROKERS=127.0.0.1:9092 SCHEMA_REGISTRY_URL=http://127.0.0.1:8081 superinsight-sync migrate',
    },
  ],
  exits: {
    0: 'all of Kafka is as it should be',
    1: 'the copy differs, which is told with where, or it broke off: run it again',
    2: 'refused before anything was written',
  },
  run: ({ config }) => copy(config),
})

/** Runs the copy and prints what it finds. Resolves with the process's exit code. */
async function copy(config: Config): Promise<number> {
  let at: [stage: Stage, done: number, all: number] | undefined
  const progress = showProgress(() => toldOf(at))
  const report: Report = {
    begins(from, to) {
      console.log(`log ${from.log} in ${config.dataDir}, to log ${to.log} on ${config.kafkaBrokers.join(',')}\n`)
      console.log(row('topic', 'events', 'bytes', 'checksum', 'ok'))
    },
    progress(...now) {
      at = now
    },
    verified(topic) {
      const { events, bytes, found, difference } = topic
      progress.line(row(topic.topic, String(events), String(bytes), found, difference === undefined ? 'ok' : 'DIFFERS'))
    },
  }
  const { written, topics } = await copyLogToKafka(config, report).finally(progress.stop)
  const wrong = topics.filter(({ difference }) => difference !== undefined)
  for (const topic of wrong) console.error(`superinsight-sync: ${differenceOf(topic)}`)
  if (wrong.length > 0) {
    console.error('The copy is not good and no service will start on it: delete its topics and run migrate again.')
    return 1
  }
  console.log(
    `\n${written === 0 ? 'Everything was there already' : `${written} events copied`}; all of it is as it should be.`,
  )
  console.log(nextSteps(config))
  return 0
}

function row(topic: string, events: string, bytes: string, checksum: string, ok: string): string {
  return `${topic.padEnd(16)}${events.padStart(12)}${bytes.padStart(16)}  ${checksum.padEnd(8)}  ${ok}`
}

function differenceOf({ difference, expected, found }: Verified): string {
  return `${difference} (checksum up to there ${found}, expected ${expected})`
}

/** How the service goes on from here. No secret is printed, only where it is. */
function nextSteps({ dataDir, kafkaBrokers, registryUrl, encryptionKey }: Config): string {
  const key =
    encryptionKey === undefined ? `ENCRYPTION_KEY=$(cat ${dataDir}/encryption.key)` : 'the same ENCRYPTION_KEY'
  const registry = withoutPassword(registryUrl!)
  return `
Start the service on Kafka, with the same keys and clients:
  DATA_DIR=${dataDir} KAFKA_BROKERS=${kafkaBrokers.join(',')} SCHEMA_REGISTRY_URL=${registry} superinsight-sync serve
Its read store fills again from the topics. ${dataDir}/log.db is not used any more: started without KAFKA_BROKERS the
service would go on writing there, and what it wrote could not be copied once Kafka has had events of its own.
With another DATA_DIR, or in several processes, give it ${key}
and ADMIN_CLIENT_ID and ADMIN_CLIENT_SECRET from ${dataDir}/credentials.json.`
}

const WORDS: Record<Stage, string> = { checking: 'checked', copying: 'copied', verifying: 'compared' }

function toldOf(at: [stage: Stage, done: number, all: number] | undefined): Told {
  if (!at) return { text: 'looking at what is there' }
  const [stage, done, all] = at
  return { text: `${WORDS[stage]} ${done} of ${all} events`, part: all === 0 ? 1 : done / all }
}
