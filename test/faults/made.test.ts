import { describe, expect, it } from 'vitest'
import { call, type Target } from '../kit/api.ts'
import { realSentences } from '../kit/augmenting.ts'
import { between, LONG, lasting, randomFor } from '../kit/faults.ts'
import { jobEnd } from '../kit/forms.ts'
import { ASYNC, augment, dilute, type MadeAnswer, madeRecords, plain, pushRows } from '../kit/made-datasets.ts'
import { until } from '../kit/processes.ts'
import { seeded } from '../kit/random.ts'
import { removeData, type Service, startService } from '../kit/service.ts'

const ROWS = LONG ? 20_000 : 1000
const KILLS = LONG ? 20 : 3
const env = { MAX_RUN_ROWS: String(ROWS / 20) }

const random = seeded(9)
const rows = (words: string) =>
  Array.from({ length: ROWS }, (_, n) =>
    JSON.stringify({ text: random.pick(realSentences()), group: n % 7, size: random.int(10_000) / 100, words }),
  )

/** So many of them alike that what is made of one is often there already, made of another. */
const alike = Array.from({ length: ROWS }, () => {
  const n = random.int(ROWS / 15)
  return JSON.stringify({ text: realSentences()[n], group: n % 7 })
})

type Ask = (
  target: Target,
  headers?: Record<string, string>,
) => Promise<{ status: number; text: string; body: MadeAnswer }>

const kinds: Record<string, Ask> = {
  dilution: (target, headers) => {
    const config = { dilution_ratio: 0.4, matching_fields: ['group'], quality_threshold: 0.5 }
    const body = { source_dataset_id: 'source', dilution_dataset_ids: ['one', 'two'], config, seed: '7' }
    return dilute(target, body, '', headers)
  },
  augmentation: (target, headers) => {
    const strategies = ['random_swap', 'synonym_replacement']
    const augmentation = { strategies, multiplier: 3, label_columns: ['group'], text_columns: ['text'] }
    return augment(target, { dataset_id: 'alike', augmentation, seed: '7' }, '', headers)
  },
}

/** How many records were pushed to a data set, however often each: the log forgets none. */
async function pushedTo(target: Target, dataset: string): Promise<number> {
  const { text } = await call(target, '/events/export?format=ndjson&topic=sync.records')
  const events = text
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as { payload: { dataset: string } })
  return events.filter(({ payload }) => payload.dataset === dataset).length
}

/** Data sets, and what an undisturbed run makes of them. */
async function begin(ask: Ask): Promise<{ dataDir: string; wanted: object[] }> {
  const service = await startService(env)
  try {
    await pushRows(service, 'source', rows('a'))
    await pushRows(service, 'alike', alike)
    await pushRows(service, 'one', rows('b'), 'o')
    const position = await pushRows(service, 'two', rows('c'), 't')
    expect((await call(service, `/datasets?min_position=${position}`)).status).toBe(200)
    const { status, text, body } = await ask(service)
    expect(status, text).toBe(200)
    const wanted = plain(await madeRecords(service, body.output_dataset_id, body.position))
    expect(wanted.length).toBe(body.final_records)
    expect(wanted.length).toBeGreaterThan(ROWS * 1.3)
    return { dataDir: service.dataDir, wanted }
  } finally {
    await service.stop()
  }
}

/** The output of a job whose service was killed has each row that it should have, and had each once. */
async function expectSame(
  service: Service,
  { job_id, output_dataset_id }: MadeAnswer,
  wanted: object[],
): Promise<void> {
  const job = await jobEnd(service, job_id, 240_000)
  expect(job).toMatchObject({ status: 'completed', records_processed: wanted.length, records_rejected: 0 })
  const made = await madeRecords(service, output_dataset_id, job.position)
  expect(plain(made)).toEqual(wanted)
  const { name } = (await call<{ name: string }>(service, `/datasets/${output_dataset_id}`)).body
  expect(await pushedTo(service, name)).toBe(wanted.length)
}

describe.each(Object.entries(kinds))('a %s whose service dies', (name, ask) => {
  const points: Record<string, [first: number, last: number]> = {
    'runner.page-read': [1, 15],
    'runner.page-appended': [1, 15],
    'runner.all-read': [1, 1],
  }

  it(`at a point, or by kill -9, ${KILLS} times: the rows are those of an undisturbed run, each once`, async () => {
    const random = randomFor(`made, ${name}`)
    const { dataDir, wanted } = await begin(ask)
    let service: Service | undefined
    try {
      for (const [point, [first, last]] of Object.entries(points)) {
        service = await startService({ ...env, CRASH_AT: `${point}:${between(random, first, last)}` }, { dataDir })
        const { child } = service.process
        const begun = await ask(service, ASYNC)
        expect(begun.status, begun.text).toBe(202)
        await until(`the service to die at ${point}`, () => child.signalCode === 'SIGKILL', 120_000)
        service = await startService(env, { dataDir })
        await expectSame(service, begun.body, wanted)
        await service.stop()
      }
      service = await startService(env, { dataDir })
      const begun = await ask(service, ASYNC)
      for (let kill = 0; kill < KILLS; kill++) {
        await lasting(between(random, 0, 800))
        await service.stop('SIGKILL')
        service = await startService(env, { dataDir })
      }
      await expectSame(service, begun.body, wanted)
    } finally {
      await service?.stop('SIGKILL')
      removeData({ dataDir })
    }
  }, 900_000)
})
