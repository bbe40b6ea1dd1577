import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call } from '../kit/api.ts'
import { jobEnd, jobUntil } from '../kit/forms.ts'
import { ASYNC, dilute, lineageOf, type MadeAnswer, madeRecords, plain, pushRows } from '../kit/made-datasets.ts'
import { publicRows, withNoise } from '../kit/noisy.ts'
import { seeded } from '../kit/random.ts'
import { removeData, type Service, startService } from '../kit/service.ts'

const movies = publicRows('movies.json')
type LineageItem = { id: string }
const SOURCE = 400
const FIELDS = ['Major Genre', 'MPAA Rating']

let service: Service
let position: string
beforeAll(async () => {
  service = await startService({ MAX_RUN_ROWS: '100' })
  // Some rows of people's data, spoilt, and the rest of it as it is.
  await pushRows(service, 'noisy', withNoise(movies.slice(0, SOURCE), 0.2, seeded(1)))
  await pushRows(service, 'good', movies.slice(SOURCE, 2000), 'g')
  position = await pushRows(service, 'more', movies.slice(2000), 'g')
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

const asked = (more: object = {}, config: object = {}) => ({
  source_dataset_id: 'noisy',
  dilution_dataset_ids: ['good', 'more'],
  config: { dilution_ratio: 0.5, matching_fields: FIELDS, quality_threshold: 0.7, ...config },
  ...{ seed: '7', ...more },
})

const matched = (data: object) => JSON.stringify(FIELDS.map(field => (data as Record<string, unknown>)[field] ?? null))

const texts = (data: object) => Object.fromEntries(Object.entries(data).map(([name, value]) => [name, String(value)]))

describe('POST /datasets/dilute', () => {
  it('answers what it made: matching rows of good data sets, each with its origin, and the gain', async () => {
    const { status, body } = await dilute(service, asked({ name: 'better', output_category: 'films' }), position)
    expect([status, body]).toMatchObject([
      200,
      { original_records: SOURCE, diluted_records: SOURCE / 2, final_records: SOURCE * 1.5 },
    ])
    expect(body.quality_improvement).toBeGreaterThan(0.01)
    expect(body.shortfall).toBeUndefined()
    const [source, made] = await Promise.all([
      madeRecords(service, 'noisy', position),
      madeRecords(service, 'better', body.position),
    ])
    expect(made).toHaveLength(SOURCE * 1.5)
    const own = made.filter(({ origin }) => !origin)
    expect(own.map(({ id, data }) => [id, data])).toEqual(source.map(({ id, data }) => [id, data]))
    const sets = new Map<string, Map<string, object>>()
    for (const name of ['good', 'more']) {
      const { id } = (await call<{ id: string }>(service, `/datasets/${name}`)).body
      sets.set(id, new Map((await madeRecords(service, name, position)).map(each => [each.id, each.data])))
    }
    const there = new Set(source.map(({ data }) => matched(data)))
    const added = made.filter(({ origin }) => origin)
    for (const { data, origin } of added) {
      expect(origin).toMatchObject({ strategy: 'dilution', seed: '7' })
      // Values may have become the source's type: 300 is a text among titles.
      expect(texts(sets.get(origin!.dataset_id)!.get(origin!.record_id)!)).toEqual(texts(data))
      expect(there).toContain(matched(data))
    }
    expect(new Set(added.map(({ origin }) => origin!.dataset_id)).size).toBe(2)
    const list = await call<{ datasets: { id: string }[] }>(service, '/datasets?category=films')
    expect(list.body.datasets).toMatchObject([
      { id: body.output_dataset_id, name: 'better', records_count: made.length },
    ])
    expect((await call<MadeAnswer>(service, `/datasets/better/records/${added[0]!.id}`)).body).toHaveProperty('origin')
  })

  it('is the same again with the same seed, and another with another', async () => {
    const ids = async (seed: string) => {
      const { body } = await dilute(service, asked({ seed }), position)
      return plain(await madeRecords(service, body.output_dataset_id, body.position))
    }
    const [one, same, other] = [await ids('a'), await ids('a'), await ids('b')]
    expect(one).toEqual(same)
    expect(one).not.toEqual(other)
  })

  it('says how it went when too few match', async () => {
    const { body } = await dilute(service, asked({}, { dilution_ratio: 1, quality_threshold: 1 }), position)
    expect(body.shortfall).toBeGreaterThan(0)
    expect(body.diluted_records + body.shortfall!).toBe(SOURCE)
    expect(body.passed_over.below_threshold).toBeGreaterThan(0)
  })

  it('answers 202 and the job to who would rather not wait, and the same result in the end', async () => {
    const begun = await dilute(service, asked(), position, ASYNC)
    expect([begun.status, begun.headers.get('preference-applied')]).toEqual([202, 'respond-async'])
    expect(begun.headers.get('location')).toBe(`/v1/sync/jobs/${begun.body.job_id}`)
    const job = (await jobEnd(service, begun.body.job_id)) as unknown as { status: string; result: MadeAnswer }
    const waited = await dilute(service, asked(), position)
    const { output_dataset_id: _a, job_id: _b, position: _c, ...result } = waited.body
    expect(job).toMatchObject({ status: 'completed', progress: 100, result })
    expect(job.result.output_dataset_id).toBe(begun.body.output_dataset_id)
    const late = await dilute(service, asked(), position, { prefer: 'wait=0' })
    expect([late.status, late.headers.get('preference-applied')]).toEqual([202, null])
    await jobEnd(service, late.body.job_id)
  })

  it('goes on when its caller goes away', async () => {
    const gone = new AbortController()
    const call_ = fetch(`${service.url}/datasets/dilute`, {
      ...{ method: 'POST', signal: gone.signal, body: JSON.stringify(asked({ name: 'left alone' })) },
      headers: { authorization: `Bearer ${service.token}`, 'content-type': 'application/json' },
    })
    const jobs = async () =>
      (await call<{ items: { id: string; name: string }[] }>(service, '/jobs?connector_type=dilution&per_page=1000'))
        .body.items
    let id: string | undefined
    while (id === undefined) id = (await jobs()).find(({ name }) => name === 'left alone')?.id
    gone.abort()
    await call_.catch(() => undefined)
    expect(await jobEnd(service, id)).toMatchObject({ status: 'completed' })
  })

  it('is not touched by what is pushed meanwhile', async () => {
    const before = await dilute(service, asked({ seed: 'then' }), position)
    const begun = await dilute(service, asked({ seed: 'then' }), position, ASYNC)
    await jobUntil(service, begun.body.job_id, ({ status }) => status !== 'pending')
    const first = (await madeRecords(service, 'noisy', position))[0]!
    const pushed = await pushRows(service, 'noisy', movies.slice(0, 50), 'new')
    const job = await jobEnd(service, begun.body.job_id)
    const made = await madeRecords(service, begun.body.output_dataset_id, job.position)
    const same = await madeRecords(service, before.body.output_dataset_id, before.body.position)
    // It may have begun before or after that, never in between.
    const count = made.filter(({ origin }) => !origin).length
    expect([SOURCE, SOURCE + 50]).toContain(count)
    if (count === SOURCE) expect(plain(made)).toEqual(plain(same))
    expect(first.id).toBe('r000000')
    for (let n = 0; n < 50; n++) {
      const id = `new${String(n).padStart(6, '0')}`
      await call(service, '/push/batch', {
        body: { source: 'tests', dataset: 'noisy', records: [{ id, op: 'delete', data: {} }] },
      })
    }
    expect(pushed).not.toBe('')
  })
})

describe('GET /datasets/{d}/lineage', () => {
  it('tells what a data set was made of, how, and each record’s origin', async () => {
    const { body } = await dilute(service, asked({ name: 'traced' }), position)
    const lineage = await lineageOf(service, 'traced', `?limit=1000&min_position=${body.position}`)
    expect(lineage).toMatchObject({
      ...{ dataset_id: body.output_dataset_id, name: 'traced', made_records: body.diluted_records },
      made_by: { job_id: body.job_id, type: 'dilution', status: 'completed', seed: '7', deleted: false },
    })
    expect(lineage.made_by!.result).toMatchObject({ diluted_records: body.diluted_records })
    expect(lineage.sources.map(({ name }) => name).sort()).toEqual(['good', 'more'])
    expect(lineage.sources.reduce((sum, { records }) => sum + records, 0)).toBe(body.diluted_records)
    expect(lineage.items).toHaveLength(body.diluted_records)
    const good = lineage.sources.find(({ name }) => name === 'good')!
    const pages = [await lineageOf(service, 'traced', '?source=good&strategy=dilution&limit=20')]
    while (pages.at(-1)!.next_cursor !== null)
      pages.push(await lineageOf(service, 'traced', `?source=good&limit=20&cursor=${pages.at(-1)!.next_cursor}`))
    const ids = pages.flatMap(({ items }) => items.map(({ id }) => id))
    expect(ids).toEqual(lineage.items.filter(({ origin }) => origin.dataset_id === good.dataset_id).map(({ id }) => id))
    expect(ids).toHaveLength(good.records)
    expect(await lineageOf(service, 'good')).toMatchObject({ made_by: null, made_records: 0, sources: [], items: [] })
    expect((await call(service, '/datasets/nowhere/lineage')).status).toBe(404)

    // A push replaces what a made record was, and its origin; one that changes nothing leaves it.
    const [one, two, three] = lineage.items.slice(0, 3) as unknown as [LineageItem, LineageItem, LineageItem]
    const { data } = (await call<{ data: object }>(service, `/datasets/traced/records/${three.id}`)).body
    const records = [
      { id: one.id, data: { mine: 1 } },
      { id: two.id, op: 'delete', data: {} },
      { id: three.id, data },
    ]
    const pushed = await call<MadeAnswer>(service, '/push/batch', { body: { source: 't', dataset: 'traced', records } })
    const after = await lineageOf(service, 'traced', `?limit=1000&min_position=${pushed.body.position}`)
    expect(after.made_records).toBe(body.diluted_records - 2)
    expect(after.items.map(({ id }) => id)).toEqual(lineage.items.map(({ id }) => id).slice(2))
    const versions = await call<{ items: { origin: object | null }[] }>(
      service,
      `/datasets/traced/records/${one.id}/history`,
    )
    expect(versions.body.items.map(({ origin }) => origin !== undefined)).toEqual([true, false])
    const history = await call<{ items: { payload: { origin: object | null } }[] }>(
      service,
      `/events?topic=sync.records&key=${encodeURIComponent(`traced\0${one.id}`)}`,
    )
    expect(history.body.items.map(({ payload }) => payload.origin !== null)).toEqual([true, false])
  })
})

describe('bad input', () => {
  const cases: [string, object, number, string][] = [
    ['an unknown source', { source_dataset_id: 'nowhere' }, 404, 'source_dataset_id'],
    ['an unknown dilution set', { dilution_dataset_ids: ['good', 'nowhere'] }, 404, 'dilution_dataset_ids.1'],
    ['itself', { dilution_dataset_ids: ['good', 'noisy'] }, 400, 'dilution_dataset_ids.1'],
    ['a set twice', { dilution_dataset_ids: ['good', 'good'] }, 400, 'dilution_dataset_ids.1'],
    ['no dilution set', { dilution_dataset_ids: [] }, 400, 'dilution_dataset_ids'],
    ['a ratio above 1', { config: { ...asked().config, dilution_ratio: 1.5 } }, 400, 'config.dilution_ratio'],
    ['a ratio below 0', { config: { ...asked().config, dilution_ratio: -0.1 } }, 400, 'config.dilution_ratio'],
    ['no ratio', { config: { matching_fields: FIELDS } }, 400, 'config.dilution_ratio'],
    ['a threshold above 1', { config: { ...asked().config, quality_threshold: 2 } }, 400, 'config.quality_threshold'],
    ['no field', { config: { ...asked().config, matching_fields: [] } }, 400, 'config.matching_fields'],
    ['no common field', { config: { ...asked().config, matching_fields: ['nope'] } }, 400, 'config.matching_fields'],
    ['an unknown member', { config: { ...asked().config, more: 1 } }, 400, 'config.more'],
    ['a name that is taken', { name: 'good' }, 409, 'name'],
    ['a name that is an id', { name: 'ds_1' }, 400, 'name'],
    ['a seed that is none', { seed: {} }, 400, 'seed'],
  ]
  it.each(cases)('%s is refused, naming the field', async (_about, more, status, field) => {
    const answer = await dilute(service, asked(more), position)
    expect([answer.status, answer.body.error?.details[0]?.field], answer.text).toEqual([status, field])
    expect(answer.body.error.message).toContain(field)
  })

  it('an empty data set is refused', async () => {
    const { status } = await call(service, '/datasets/empty', { method: 'PUT', body: { category: 'nothing' } })
    expect(status).toBe(200)
    const answers = [
      await dilute(service, asked({ source_dataset_id: 'empty' }), position),
      await dilute(service, asked({ dilution_dataset_ids: ['empty'] }), position),
    ]
    expect(answers.map(({ status, body }) => [status, body.error.details[0]!.field])).toEqual([
      [400, 'source_dataset_id'],
      [400, 'dilution_dataset_ids.0'],
    ])
  })

  it('a job of its kind is made by its route only, and needs sync:write', async () => {
    const job = { name: 'x', connector: { type: 'dilution', config: {} } }
    expect((await call(service, '/jobs', { body: job })).text).toContain('POST /datasets/dilute')
    expect((await call(service, '/datasets/dilute', { body: asked(), as: null })).status).toBe(401)
  })
})
