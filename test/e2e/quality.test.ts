/** The score of a data set over the API: what moves it, what it was, and what finds data sets by it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, type Problem, pushBatch } from '../kit/api.ts'
import { publicRows, withNoise } from '../kit/noisy.ts'
import { property } from '../kit/random.ts'
import { removeData, type Service, startService } from '../kit/service.ts'

interface Quality {
  readonly quality_score: number | null
  readonly records_count: number
  readonly position: string
  readonly dimensions: Record<string, { score: number | null; formula: string; reasons: { column: string | null }[] }>
}

interface History {
  readonly items: (Omit<Quality, 'dimensions'> & { time: string; dimensions: Record<string, number | null> })[]
  readonly next_cursor: string | null
}

interface Dataset {
  readonly id: string
  readonly name: string
  readonly category: string | null
  readonly category_source: string | null
  readonly quality_score: number | null
}

const NAMES = ['completeness', 'validity', 'uniqueness', 'consistency', 'timeliness', 'accuracy']
const ROWS = 400

let service: Service
beforeAll(async () => {
  service = await startService()
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

async function push(dataset: string, rows: readonly object[]): Promise<string> {
  const { status, body } = await pushBatch(service, dataset, [...rows], { ack: 'projected' })
  expect(status).toBe(200)
  return body.position
}

async function read<Body>(path: string, status = 200): Promise<Body> {
  const answer = await call<Body>(service, path)
  expect([path, answer.status, answer.status === status ? '' : answer.text]).toEqual([path, status, ''])
  return answer.body
}

const qualityOf = (dataset: string, query = '') => read<Quality>(`/datasets/${dataset}/quality${query}`)
const scoreOf = async (dataset: string) => (await qualityOf(dataset)).quality_score!
const namesOf = async (query: string) =>
  (await read<{ datasets: Dataset[] }>(`/datasets?limit=1000&${query}`)).datasets.map(({ name }) => name)

const flights = publicRows('flights-5k.json', ROWS)
const recordsOf = (rows: readonly string[]) => rows.map((data, n) => ({ id: `r${n}`, data: JSON.parse(data) }))

describe('the score', () => {
  it('falls as noise rises, and comes back when the noise goes', () =>
    property(1, async random => {
      const levels = [0, 0.1, 0.25, 0.5]
      const scores: number[] = []
      const positions: string[] = []
      for (const share of levels) {
        positions.push(await push('noisy', recordsOf(withNoise(flights, share, random))))
        scores.push(await scoreOf('noisy'))
      }
      for (let at = 1; at < scores.length; at++) expect(scores[at]).toBeLessThan(scores[at - 1]! - 0.02)
      await push('noisy', recordsOf(flights))
      expect(await scoreOf('noisy')).toBe(scores[0])
      for (const [at, position] of positions.entries()) {
        const then = await qualityOf('noisy', `?as_of=${position}`)
        expect([then.quality_score, then.records_count]).toEqual([scores[at], ROWS])
        const { datasets } = await read<{ datasets: Dataset[] }>(`/datasets?as_of=${position}&search=noisy`)
        expect(datasets.map(({ quality_score }) => quality_score)).toEqual([scores[at]])
      }
      const { items, next_cursor } = await read<History>('/datasets/noisy/quality/history')
      expect(items.map(({ quality_score }) => quality_score)).toEqual([...scores, scores[0]].reverse())
      expect(next_cursor).toBeNull()
      for (const { position, quality_score, records_count, dimensions } of items) {
        const then = await qualityOf('noisy', `?as_of=${position}`)
        const known = Object.fromEntries(Object.entries(then.dimensions).map(([name, { score }]) => [name, score]))
        expect([quality_score, records_count, dimensions]).toEqual([then.quality_score, then.records_count, known])
      }
    }))

  it('is the example of the documentation, moved by changes and removals', async () => {
    await push('example', [
      { id: '1', data: { city: 'Rome', code: 'R1', size: 3 } },
      { id: '2', data: { city: 'Oslo', code: 'o2', size: 'big' } },
      { id: '3', data: { city: 'Bern', code: 'B3' } },
      { id: '4', data: { code: 'R1', city: 'Rome', size: 3 } },
    ])
    const first = await qualityOf('example')
    expect(Object.keys(first)).toEqual(['quality_score', 'records_count', 'dimensions', 'position'])
    expect(first).toMatchObject({ quality_score: 0.8662, records_count: 4, position: expect.any(String) })
    expect(Object.keys(first.dimensions)).toEqual(NAMES)
    for (const { formula } of Object.values(first.dimensions)) expect(formula).toMatch(/.{20}/)
    expect(NAMES.map(name => first.dimensions[name]!.score)).toEqual([0.9167, 0.9091, 0.75, 0.8889, null, null])
    expect(first.dimensions.validity!.reasons).toMatchObject([{ column: 'size', count: 1, of: 2 + 1 }])
    expect(first.dimensions.accuracy!.reasons).toHaveLength(1)
    await push('example', [{ id: '4', op: 'delete', data: {} }])
    expect((await qualityOf('example')).dimensions.uniqueness!.score).toBe(1)
    await push('example', [{ id: '2', data: { city: 'Oslo', code: 'O2', size: 4 } }])
    expect((await qualityOf('example')).dimensions.validity!.score).toBe(1)
    expect(await qualityOf('example', `?as_of=${first.position}`)).toEqual(first)
    const shown = await read<Dataset>('/datasets/example')
    expect(shown.quality_score).toBe(await scoreOf('example'))
    expect(await qualityOf(shown.id)).toEqual(await qualityOf('example'))
  })

  it('is that of no records at a moment before the first', async () => {
    const body = { conflict_policy: 'manual' }
    const { position } = (await call<{ position: string }>(service, '/datasets/ahead', { method: 'PUT', body })).body
    const before = await qualityOf('ahead')
    expect([before.quality_score, before.records_count]).toEqual([null, 0])
    await push('ahead', [{ id: '1', data: { n: 1 } }])
    expect(await qualityOf('ahead', `?as_of=${position}`)).toEqual(before)
    expect((await read<History>(`/datasets/ahead/quality/history?as_of=${position}`)).items).toEqual([])
  })

  it('goes by the schema that is set, at once', async () => {
    await push('typed', [{ id: '1', data: { n: 1 } }])
    expect(await scoreOf('typed')).toBe(1)
    expect((await read<Dataset>('/datasets/typed')).quality_score).toBe(1)
    const schema = { type: 'object', properties: { n: { type: 'string' } } }
    const set = await call<{ position: string; quality_score: number }>(service, '/datasets/typed', {
      method: 'PUT',
      body: { schema },
    })
    const typed = await qualityOf('typed')
    expect(typed.dimensions.validity!.score).toBe(0)
    expect(set.body.quality_score).toBe(typed.quality_score)
    expect((await read<{ datasets: Dataset[] }>('/datasets?search=typed')).datasets[0]!.quality_score).toBe(
      typed.quality_score,
    )
    expect((await qualityOf('typed', `?as_of=${set.body.position}`)).quality_score).toBe(typed.quality_score)
  })

  it('knows how late records came', async () => {
    const updated_at = new Date(Date.now() - 3 * 86_400_000).toISOString()
    await push('late', [
      { id: '1', data: { n: 1 }, metadata: { updated_at } },
      { id: '2', data: { n: 2 }, metadata: { updated_at: new Date().toISOString() } },
      { id: '3', data: { n: 3 } },
    ])
    expect((await qualityOf('late')).dimensions.timeliness!.score).toBe(0.75)
  })

  it('is null where there is no record, and unknown where there is no data set', async () => {
    await push('emptied', [{ id: '1', data: { n: 1 } }])
    await push('emptied', [{ id: '1', op: 'delete', data: {} }])
    const empty = await qualityOf('emptied')
    expect([empty.quality_score, empty.records_count]).toEqual([null, 0])
    expect(empty.dimensions.completeness).toMatchObject({ score: 0, reasons: [{ message: 'there are no records' }] })
    expect((await read<Dataset>('/datasets/emptied')).quality_score).toBeNull()
    expect(await namesOf('quality_min=0')).not.toContain('emptied')
    for (const path of ['/datasets/none/quality', '/datasets/none/quality/history']) await read(path, 404)
    const before = await read<History>('/datasets/emptied/quality/history')
    expect(before.items.map(({ quality_score }) => quality_score)).toEqual([null, 1])
  })
})

describe('the history', () => {
  it('goes page by page, in steps, and refuses what it did not give out', async () => {
    const scores: (number | null)[] = []
    for (let n = 0; n < 7; n++) {
      await push('paged', [{ id: `r${n}`, data: { n: n % 3 === 0 ? 'x' : n } }])
      scores.unshift(await scoreOf('paged'))
    }
    const found: (number | null)[] = []
    for (let cursor = ''; ; ) {
      const page: History = await read(`/datasets/paged/quality/history?limit=3${cursor}`)
      found.push(...page.items.map(({ quality_score }) => quality_score))
      if (page.next_cursor === null) break
      cursor = `&cursor=${page.next_cursor}`
    }
    expect(found).toEqual(scores)
    const steps = await read<History>('/datasets/paged/quality/history?step=3')
    expect(steps.items.map(({ quality_score }) => quality_score)).toEqual([scores[0], scores[3], scores[6]])
    for (const query of ['step=0', 'limit=201', 'cursor=e30', 'cursor=W10'])
      await read<Problem>(`/datasets/paged/quality/history?${query}`, 400)
  })
})

describe('discovery', () => {
  it('finds by the least score', async () => {
    await push('good', [{ id: '1', data: { only: 'a' } }])
    await push('bad', [
      { id: '1', data: { only: 'a', other: 1 } },
      { id: '2', data: { only: null } },
    ])
    const bad = await scoreOf('bad')
    const at = async (least: number) => (await namesOf(`quality_min=${least}&search=only`)).sort()
    expect(await at(0)).toEqual(['bad', 'good'])
    expect(await at(bad)).toEqual(['bad', 'good'])
    expect(await at(bad + 0.0001)).toEqual(['good'])
    expect(await at(1)).toEqual(['good'])
    for (const least of ['1.01', '-1', 'x']) await read<Problem>(`/datasets?quality_min=${least}`, 400)
  })

  it('finds by category, set or told by the columns, and by columns', async () => {
    await push('told', [{ id: '1', data: { firstName: 'Ada', 'last-name': 'L', EMAIL: 'a@b.c', wombat: 1 } }])
    await push('said', [{ id: '1', data: { wombat: 2 } }])
    const of = async (name: string) => {
      const { category, category_source } = await read<Dataset>(`/datasets/${name}`)
      return [category, category_source]
    }
    expect(await of('told')).toEqual(['customer', 'found'])
    expect(await of('said')).toEqual([null, null])
    await call(service, '/datasets/said', { method: 'PUT', body: { category: 'customer' } })
    expect(await of('said')).toEqual(['customer', 'set'])
    expect((await namesOf('category=customer')).sort()).toEqual(['said', 'told'])
    expect(await namesOf('search=customer')).toEqual(expect.arrayContaining(['said', 'told']))
    expect((await namesOf('search=WOMBAT')).sort()).toEqual(['said', 'told'])
    expect(await namesOf('search=wombat&category=order')).toEqual([])
    await call(service, '/datasets/told', { method: 'PUT', body: { category: 'order' } })
    expect(await of('told')).toEqual(['order', 'set'])
    expect(await namesOf('category=customer')).toEqual(['said'])
    const first = await read<{ datasets: Dataset[]; next_cursor: string }>('/datasets?search=wombat&limit=1')
    const rest = await read<{ datasets: Dataset[] }>(`/datasets?search=wombat&cursor=${first.next_cursor}`)
    expect([...first.datasets, ...rest.datasets].map(({ name }) => name)).toEqual(['said', 'told'])
  })
})
