import { randomBytes } from 'node:crypto'
import { removeData, type Service, startService } from '../test/kit/service.ts'
import type { Bench, Figures } from './bench.ts'
import { fillRecords } from './fill.ts'
import { pushFrom } from './ingest.ts'
import { median, ratio, serve, writtenPerSecond } from './measure.ts'
import { freshKafkaParts, kafkaEnv } from './parts.ts'
import { type Postgres, startPostgres } from './postgres.ts'
import { forgetProjectors, untilJoined } from './projectors.ts'
import { postgresStore } from './read-store.ts'

const ROUNDS = 3

type Env = Record<string, string>

/** Records a second that so many projectors project together, from when they have shared out the streams. */
async function projectors(count: number, env: Env, postgres: Postgres, records: number): Promise<number> {
  const brokers = env.KAFKA_BROKERS!
  await forgetProjectors(brokers)
  const store = await postgresStore(postgres)
  const all = Array.from({ length: count }, () => serve({ ...env, ...store.env, ROLES: 'projector' }))
  try {
    await untilJoined(brokers, count)
    const processes = all.map(each => each.process)
    return await writtenPerSecond(records, store.projected, processes)
  } finally {
    await Promise.all(all.map(each => each.stop()))
    await store.remove()
  }
}

const CONNECTIONS = 4

/** Records a second that so many edges accept together; each has a load client of its own. */
async function edges(count: number, env: Env, records: number): Promise<number> {
  const all: Service[] = []
  try {
    for (let n = 0; n < count; n++) all.push(await startService({ ...env, ROLES: 'edge' }))
    const push = (dataset: string, total: number) => {
      const job = { dataset, records: Math.ceil(total / count), connections: CONNECTIONS / count, keys: 0 }
      return Promise.all(all.map(({ url, token }) => pushFrom({ url, token, ...job })))
    }
    await push('warm', records / 4)
    const pushed = await push('bench', records)
    const began = Math.min(...pushed.map(({ startedAt }) => startedAt))
    const ended = Math.max(...pushed.map(({ startedAt, seconds }) => startedAt + seconds * 1000))
    return Math.round(pushed.reduce((sum, { accepted }) => sum + accepted, 0) / ((ended - began) / 1000))
  } finally {
    for (const edge of all) {
      await edge.stop()
      removeData(edge)
    }
  }
}

async function oneAndTwo(measure: (count: number) => Promise<number>): Promise<[one: number, two: number]> {
  const rates: [number[], number[]] = [[], []]
  // In turns, so that what else the machine does hits both.
  for (let round = 0; round < ROUNDS; round++) {
    rates[0].push(await measure(1))
    rates[1].push(await measure(2))
  }
  return [median(rates[0]), median(rates[1])]
}

export const scale: Bench = {
  name: 'scale',
  about: 'two projector processes against one, two edge processes against one, on Kafka and PostgreSQL',
  async run(options): Promise<Figures> {
    const records = Number(options.records ?? 1_000_000)
    const [parts, postgres] = await Promise.all([freshKafkaParts(), startPostgres()])
    try {
      // Whoever signs a token, the others must be able to read it.
      const env = { ...kafkaEnv(parts), ENCRYPTION_KEY: randomBytes(32).toString('hex') }
      await fillRecords(env, records)
      const projected = await oneAndTwo(count => projectors(count, env, postgres, records))
      const store = await postgresStore(postgres)
      // Giving out a token is a command.
      const decider = serve({ ...env, ...store.env, ROLES: 'decider' })
      const accepted = await oneAndTwo(count => edges(count, { ...env, ...store.env }, records))
      await decider.stop()
      await store.remove()
      return {
        one_projector_per_s: projected[0],
        two_projectors_per_s: projected[1],
        projectors_ratio: ratio(projected[1], projected[0]),
        one_edge_accepted_per_s: accepted[0],
        two_edges_accepted_per_s: accepted[1],
        edges_ratio: ratio(accepted[1], accepted[0]),
      }
    } finally {
      await postgres.stop()
      await parts.stop()
    }
  },
}
