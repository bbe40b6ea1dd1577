import { command } from './command.ts'

export const serve = command({
  name: 'serve',
  summary: 'runs the service, until SIGTERM or SIGINT (npm start)',
  options: {},
  about: `Prints the address that it answers at once it can be used. With nothing set it is one process with everything in DATA_DIR.
KAFKA_BROKERS and SCHEMA_REGISTRY_URL put the log on Kafka, DATABASE_URL the read store on PostgreSQL, and then ROLES may
share the work out over many processes. All settings: superinsight-sync --help.

SIGTERM and SIGINT let what is under way come to its end, DRAIN_SECONDS at most; a second one ends it at once.`,
  examples: [
    { about: 'everything in ./data, on port 8080', line: 'superinsight-sync serve' },
    {
      about: 'the log on Kafka',
      line: 'KAFKA_BROKERS=127.0.0.1:9092 SCHEMA_REGISTRY_URL=http://127.0.0.1:8081 superinsight-sync serve',
    },
  ],
  exits: { 0: 'it was asked to stop, and has' },
  async run({ config }) {
    // Only here: the other commands need none of the service.
    const { startService } = await import('../main.ts')
    const service = await startService(config)
    if (service.credentialsFile) console.error(`credentials of the first client: ${service.credentialsFile}`)
    console.log(service.url)
    let stopping = false
    const stop = async () => {
      // A second signal means now.
      if (stopping) process.exit(1)
      stopping = true
      await service.stop()
      process.exit(0)
    }
    process.on('SIGTERM', stop)
    process.on('SIGINT', stop)
    return undefined
  },
})
