import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call } from '../kit/api.ts'
import { mixedSentence } from '../kit/augmenting.ts'
import { jobEnd } from '../kit/forms.ts'
import { ASYNC, augment, lineageOf, type MadeAnswer, madeRecords, plain, pushRows } from '../kit/made-datasets.ts'
import { publicRows } from '../kit/noisy.ts'
import { seeded } from '../kit/random.ts'
import { removeData, type Service, startService } from '../kit/service.ts'

const ROWS = 10_000
const TERM = 'acute myocardial infarction'
const LABELS = ['positive', 'negative', 'neutral']
const TEXTS = ['synonym_replacement', 'random_swap', 'random_deletion']

const random = seeded(3)
const sentences = Array.from({ length: ROWS / 2 }, (_, n) => {
  const { text, numbers, name } = mixedSentence(random, TERM)
  return { text, numbers, name, label: LABELS[n % LABELS.length]!, price: `${random.int(1000)}.50` }
})
const rows = sentences.map(
  ({ text, label, price }) => `{"text":${JSON.stringify(text)},"label":"${label}","price":${price}}`,
)

let service: Service
let position: string
beforeAll(async () => {
  service = await startService({ MAX_RUN_ROWS: '1000' })
  await pushRows(service, 'films', publicRows('movies.json', 300))
  position = await pushRows(service, 'reviews', rows)
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

const asked = (augmentation: object = {}, more: object = {}) => ({
  dataset_id: 'reviews',
  augmentation: { strategies: TEXTS, multiplier: 3, protect: ['acute\\s+myocardial\\s+infarction'], ...augmentation },
  ...{ seed: '7', ...more },
})

const times = (text: string, part: string) => text.split(part).length - 1
const digits = (text: string) => (text.match(/\d+/g) ?? []).sort()

describe('POST /datasets/augment', () => {
  it(`keeps every number, name, label and protected term, over ${ROWS} made rows`, async () => {
    const { status, body } = await augment(
      service,
      asked({}, { name: 'more reviews', output_category: 'text' }),
      position,
    )
    expect([status, body]).toMatchObject([200, { original_records: ROWS / 2 }])
    const made = await madeRecords(service, 'more reviews', body.position)
    const added = made.filter(({ origin }) => origin)
    expect(made).toHaveLength(body.final_records)
    expect(added).toHaveLength(body.augmented_records)
    expect(body.final_records).toBe(ROWS / 2 + body.augmented_records)
    expect(body.augmented_records).toBeGreaterThan(ROWS * 0.9)
    expect(body.augmented_records).toBeLessThanOrEqual(ROWS)
    const source = made.filter(({ origin }) => !origin)
    expect(source.map(({ id, data }) => [id, data])).toEqual(
      rows.map((row, n) => [`r${String(n).padStart(6, '0')}`, JSON.parse(row)]),
    )
    for (const { data, origin } of added) {
      const from = sentences[Number(origin!.record_id.slice(1))]!
      const text = data.text as string
      expect(TEXTS).toContain(origin!.strategy)
      expect([data.label, data.price, times(text, TERM)]).toEqual([from.label, Number(from.price), 1])
      expect(digits(text)).toEqual(digits(from.text))
      for (const term of [...from.numbers, from.name])
        expect([term, times(text, term)]).toEqual([term, times(from.text, term)])
      expect(text).not.toBe(from.text)
    }
    const lineage = await lineageOf(service, 'more reviews')
    expect(lineage).toMatchObject({
      ...{ made_records: body.augmented_records, records_count: body.final_records },
      made_by: { job_id: body.job_id, type: 'augmentation', status: 'completed', seed: '7' },
    })
    expect(lineage.sources.map(({ strategy }) => strategy)).toEqual([...TEXTS].sort())
    expect(lineage.sources.reduce((sum, { records }) => sum + records, 0)).toBe(body.augmented_records)
  }, 240_000)

  it('is the same again with the same seed, another with another, and answers 202 to who would rather', async () => {
    const given = (seed: string) => ({ dataset_id: 'films', augmentation: { strategies: ['noise'] }, seed })
    const begun = await augment(service, given('1'), position, ASYNC)
    expect([begun.status, begun.body.seed, begun.headers.get('preference-applied')]).toEqual([
      202,
      '1',
      'respond-async',
    ])
    const job = (await jobEnd(service, begun.body.job_id)) as unknown as { position: string; result: MadeAnswer }
    const same = await augment(service, given('1'), position)
    const other = await augment(service, given('2'), position)
    const { output_dataset_id: _a, job_id: _b, position: _c, ...result } = same.body
    expect(job.result).toMatchObject(result)
    const one = plain(await madeRecords(service, begun.body.output_dataset_id, job.position))
    expect(one).toHaveLength(result.final_records)
    expect(plain(await madeRecords(service, same.body.output_dataset_id, same.body.position))).toEqual(one)
    expect(plain(await madeRecords(service, other.body.output_dataset_id, other.body.position))).not.toEqual(one)
  })

  it('of a data set that was augmented keeps what its rows were made of', async () => {
    const first = await augment(
      service,
      { dataset_id: 'films', augmentation: { strategies: ['noise'] }, seed: '1' },
      position,
    )
    const from = first.body.output_dataset_id
    const again = { dataset_id: from, augmentation: { strategies: ['noise'] }, seed: '2' }
    const second = await augment(service, again, first.body.position)
    const { sources } = await lineageOf(service, second.body.output_dataset_id)
    const made = sources.find(({ dataset_id }) => dataset_id === from)
    const inherited = sources.find(({ dataset_id }) => dataset_id !== from)
    expect([made?.records, inherited?.records]).toEqual([second.body.augmented_records, first.body.augmented_records])
  })

  it('says what was refused and why', async () => {
    const { body } = await augment(
      service,
      {
        dataset_id: 'films',
        augmentation: { strategies: ['synonym_replacement'], text_columns: ['Major Genre'] },
      },
      position,
    )
    expect(body.augmented_records + Object.values(body.refused).reduce((a, b) => a + b, 0)).toBeGreaterThanOrEqual(300)
    expect(Object.keys(body.refused)).toContain('nothing_to_change')
  })
})

describe('bad input', () => {
  const strategies = ['noise']
  const cases: [string, object, number, string][] = [
    ['an unknown data set', { dataset_id: 'nowhere' }, 404, 'dataset_id'],
    ['a multiplier of 0', { augmentation: { strategies, multiplier: 0 } }, 400, 'augmentation.multiplier'],
    ['a multiplier of 10^9', { augmentation: { strategies, multiplier: 1e9 } }, 400, 'augmentation.multiplier'],
    ['an unknown strategy', { augmentation: { strategies: ['magic'] } }, 400, 'augmentation.strategies'],
    ['no strategy', { augmentation: { strategies: [] } }, 400, 'augmentation.strategies'],
    ['no translator', { augmentation: { strategies: ['back_translation'] } }, 400, 'augmentation.strategies'],
    ['a bad pattern', { augmentation: { strategies, protect: ['('] } }, 400, 'augmentation.protect.0'],
    ['an unknown member', { augmentation: { strategies, more: 1 } }, 400, 'augmentation.more'],
    ['no augmentation', { augmentation: undefined }, 400, 'augmentation'],
    ['no text column', { dataset_id: 'numbers', augmentation: { strategies: TEXTS } }, 400, 'augmentation.strategies'],
    ['a name that is taken', { name: 'films' }, 409, 'name'],
    ['a category that is none', { output_category: 7 }, 400, 'output_category'],
    ['an empty data set', { dataset_id: 'empty' }, 400, 'dataset_id'],
  ]
  beforeAll(async () => {
    await call(service, '/datasets/empty', { method: 'PUT', body: { category: 'nothing' } })
    position = await pushRows(service, 'numbers', ['{"n":1}', '{"n":2}'])
  })

  it.each(cases)('%s is refused, naming the field', async (_about, more, status, field) => {
    const answer = await augment(service, asked({}, more), position)
    expect([answer.status, answer.body.error?.details[0]?.field], answer.text).toEqual([status, field])
    expect(answer.body.error.message).toContain(field)
  })

  it('leaves the name free when nothing can come of it, and only then', async () => {
    const given = (strategy: string) => ({
      dataset_id: 'numbers',
      name: 'mine',
      augmentation: { strategies: [strategy] },
    })
    const job = async () => (await lineageOf(service, 'mine')).made_by!.job_id
    expect((await augment(service, given('random_swap'), position)).status).toBe(400)
    const first = await job()
    // The first is deleted for the second, and the second by hand.
    expect((await augment(service, given('random_deletion'), position)).status).toBe(400)
    const second = await job()
    expect((await call(service, `/jobs/${first}`)).status).toBe(404)
    expect((await call(service, `/jobs/${second}`, { method: 'DELETE' })).status).toBe(204)
    const made = await augment(service, given('noise'), position)
    expect([made.status, made.body]).toMatchObject([
      200,
      { final_records: made.body.original_records + made.body.augmented_records },
    ])
    expect(await job()).toBe(made.body.job_id)
    // Of two who ask for it at once one gets it.
    expect((await augment(service, { ...given('random_swap'), name: 'ours' }, position)).status).toBe(400)
    const both = [1, 2].map(() => augment(service, { ...given('noise'), name: 'ours' }, position))
    expect((await Promise.all(both)).map(({ status }) => status).sort()).toEqual([200, 409])
    expect((await call(service, `/jobs/${made.body.job_id}`, { method: 'DELETE' })).status).toBe(204)
    expect((await augment(service, given('noise'), position)).status).toBe(409)
  })

  it('says what is lacking when there is no translator', async () => {
    const { text } = await augment(service, asked({ strategies: ['back_translation'] }), position)
    expect(text).toContain('TRANSLATE_URL')
  })

  it('a Prefer that is none is refused', async () => {
    expect((await augment(service, asked(), position, { prefer: 'wait=soon' })).status).toBe(400)
  })
})
