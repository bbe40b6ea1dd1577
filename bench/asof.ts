import { call, pushLines } from '../test/kit/api.ts'
import { removeData, type Service, startService, untilProjected } from '../test/kit/service.ts'
import type { Bench, Figures } from './bench.ts'
import { median, ratio } from './measure.ts'
import { freshKafkaParts, kafkaEnv } from './parts.ts'
import { startPostgres } from './postgres.ts'
import { postgresStore } from './read-store.ts'
import { recordLine, recordParts } from './records.ts'

const DATASET = 'bench'
const PAGE = 10_000
const ROUNDS = 15
const RECORDS_A_ROUND = 40
const LINES = 50_000

/** Pushes these records in their order; gives back a position that includes them. */
async function push(service: Service, ids: readonly number[], round: number): Promise<string> {
  let position = ''
  for (let from = 0; from < ids.length; from += LINES) {
    const lines = ids.slice(from, from + LINES).map(id => recordLine(id, id + round))
    position = (await pushLines(service, `source=bench&dataset=${DATASET}`, lines.join(''))).body.position
  }
  return position
}

/** What is asked: now, when every record was another, when every second one was not there and the others were another. */
type Moments = Readonly<Record<'now' | 'changed' | 'fewer', string>>

/**
 * Half of the records, then the other half between them, then all of them again: a page as of the first half passes over as
 * many records as it has.
 */
async function fill(service: Service, records: number): Promise<Moments> {
  const ids = Array.from({ length: records }, (_, id) => id)
  const fewer = await push(
    service,
    ids.filter(id => id % 2 === 0),
    0,
  )
  const changed = await push(
    service,
    ids.filter(id => id % 2 === 1),
    0,
  )
  await untilProjected(service, await push(service, ids, 1))
  return { now: '', changed: `&as_of=${changed}`, fewer: `&as_of=${fewer}` }
}

async function timed(service: Service, path: string, check: (text: string) => boolean): Promise<number> {
  const began = performance.now()
  const { status, text } = await call(service, path)
  const took = performance.now() - began
  if (status !== 200 || !check(text)) throw new Error(`${path}: ${status} ${text.slice(0, 300)}`)
  return took
}

async function measure(service: Service, moments: Moments, records: number): Promise<Figures> {
  const names = Object.keys(moments) as (keyof Moments)[]
  const took = new Map<string, number[]>(
    names.flatMap(name => [
      [`record_${name}`, []],
      [`page_${name}`, []],
    ]),
  )
  const version = (name: keyof Moments) => `"version":${name === 'now' ? 2 : 1},`
  for (let round = 0; round < ROUNDS; round++) {
    // Both sides by turns, so that whatever else the machine does is the same for them.
    for (let n = 0; n < RECORDS_A_ROUND; n++) {
      const { id } = recordParts(2 * Math.floor((Math.random() * records) / 2), 0)
      for (const name of names) {
        const path = `/datasets/${DATASET}/records/${id}?${moments[name]}`
        took.get(`record_${name}`)!.push(await timed(service, path, text => text.includes(version(name))))
      }
    }
    const from = Math.floor(Math.random() * (records - 2 * PAGE - 2))
    const cursor = Buffer.from(recordParts(from, 0).id).toString('base64url')
    for (const name of names) {
      const path = `/datasets/${DATASET}/records?limit=${PAGE}&cursor=${cursor}${moments[name]}`
      const whole = (text: string) => text.split(version(name)).length === PAGE + 1
      took.get(`page_${name}`)!.push(await timed(service, path, whole))
    }
  }
  const ms = new Map([...took].map(([name, all]) => [name, median(all)]))
  const ratios = ['record', 'page'].flatMap(what =>
    (['changed', 'fewer'] as const).map(
      name => [`${what}_${name}`, ratio(ms.get(`${what}_${name}`)!, ms.get(`${what}_now`)!)] as const,
    ),
  )
  return {
    ...Object.fromEntries([...ms].map(([name, each]) => [`${name}_ms`, Math.round(each * 100) / 100])),
    ...Object.fromEntries(ratios.map(([name, each]) => [`${name}_ratio`, each])),
    ratio: Math.max(...ratios.map(([, each]) => each)),
  }
}

async function readFrom(env: Record<string, string>, records: number): Promise<Figures> {
  const service = await startService(env)
  try {
    return await measure(service, await fill(service, records), records)
  } finally {
    await service.stop('SIGKILL')
    removeData(service)
  }
}

export const asof: Bench = {
  name: 'asof',
  about:
    'a record and a page of 10,000 as of a moment against now: when each was another, when half were not there yet',
  async run(options) {
    const records = Number(options.records ?? 100_000)
    if (options.store !== 'postgres') return readFrom({}, records)
    // PostgreSQL is for those who have Kafka.
    const [parts, postgres] = await Promise.all([freshKafkaParts(), startPostgres()])
    const store = await postgresStore(postgres)
    try {
      return await readFrom({ ...kafkaEnv(parts), ...store.env }, records)
    } finally {
      await store.remove()
      await Promise.all([postgres.stop(), parts.stop()])
    }
  },
}
