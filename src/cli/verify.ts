import { openForVerify } from '../adapters.ts'
import type { Config } from '../config.ts'
import { projections } from '../projections/index.ts'
import { type VerifyReport, verify as verifyAll } from '../workers/verify.ts'
import { command } from './command.ts'
import { count, showProgress, type Told } from './progress.ts'

export const verify = command({
  name: 'verify',
  summary: 'reads the whole log again, and sees whether it and the read model are as they should be',
  options: {},
  about: `Holds every batch of the embedded log against its checksum, and reads and decodes every event of every topic, on Kafka too.
Then it folds all of them into a read model of its own, in a temporary folder, and compares that row by row with the one
that is read: the SQLite file in DATA_DIR, or PostgreSQL. The service may run meanwhile or be stopped; nothing is changed.

What is damaged is told with its place: topic and offsets, or table and key. Rows are mended by superinsight-sync rebuild;
a damaged log is not: take it from a copy.`,
  examples: [
    { about: 'look at ./data', line: 'DATA_DIR=./data superinsight-sync verify' },
    {
      about: 'a service on Kafka and PostgreSQL',
      line: 'KAFKA_BROKERS=127.0.0.1:9092 SCHEMA_REGISTRY_URL=http://127.0.0.1:8081 DATABASE_URL=postgres://sync@127.0.0.1/sync superinsight-sync verify',
    },
  ],
  exits: { 0: 'all is well', 1: 'something is damaged, which is told with its place, or could not be read' },
  run: ({ config }) => look(config),
})

const WORDS = {
  checking: 'checksums of events',
  reading: 'events read',
  folding: 'events folded',
  comparing: 'rows compared',
}

async function look(config: Config): Promise<number> {
  let told: Told = { text: 'looking at what is there' }
  const progress = showProgress(() => told)
  const report: VerifyReport = {
    progress(stage, done, all) {
      const of = all === undefined ? '' : ` of ${count(all)}`
      told = { text: `${count(done)}${of} ${WORDS[stage]}`, part: all ? done / all : undefined }
    },
    damaged: what => progress.line(`DAMAGED  ${what}`),
    left: what => progress.note(`not compared: ${what}`),
    compared: (projection, rows) => progress.line(`ok       ${projection}: ${count(rows)} rows compared`),
  }
  const parts = await openForVerify(config)
  try {
    const { events, rows, damaged } = await verifyAll({ ...parts, projections }, report, new AbortController().signal)
    progress.stop()
    const read = `${count(events)} events read, ${count(rows)} rows compared`
    console.log(damaged === 0 ? `${read}: all is well` : `${read}: ${count(damaged)} damaged`)
    return damaged === 0 ? 0 : 1
  } finally {
    progress.stop()
    await parts.close()
  }
}
