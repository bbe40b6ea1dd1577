import { describe, expect, it } from 'vitest'
import { compareValues } from '../../../../../src/catalog/connectors/rest-api/incremental/values.ts'
import { restApi } from '../../../../../src/catalog/connectors/rest-api/index.ts'
import { property, type Random, seeded } from '../../../../kit/random.ts'
import { openSource, pages, pullAll, pullContext, pullWell, sendJson } from '../../../../kit/source.ts'

interface Row {
  readonly id: number
  readonly at?: unknown
}

interface Behaviour {
  /** Whether the source gives only what is at or past `since`. */
  filters?: boolean
  sorted?: boolean
}

/** A source whose rows may grow, with two rows a page. */
async function openGrowing(rows: Row[], { filters = true, sorted = true }: Behaviour = {}, random?: Random) {
  return openSource((request, response) => {
    const since = request.url.searchParams.get('since')
    const page = Number(request.url.searchParams.get('page'))
    let found = rows.filter(({ at }) => !filters || since === null || compareValues(String(at), since) >= 0)
    if (sorted) found = found.toSorted((a, b) => compareValues(String(a.at), String(b.at)))
    const from = (page - 1) * 2
    sendJson(response, `[${found.slice(from, from + 2).map(row => textOf(row, random))}]`)
  })
}

/** A row as a source may write it: members in any order, with any white space. */
function textOf({ id, at }: Row, random?: Random): string {
  const members = [
    `"id":${id}`,
    ...(at === undefined ? [] : [`"at":${typeof at === 'bigint' ? at : JSON.stringify(at)}`]),
  ]
  return random?.chance(0.5) ? `{ ${members.reverse().join(' , ')} }` : `{${members}}`
}

const configOf = (base_url: string, more: object = {}) => ({
  base_url,
  endpoints: [{ path: '/x', pagination: { type: 'page' }, cursor_field: 'at', cursor_param: 'since', ...more }],
})

const idsOf = (data: readonly string[]) => data.map(text => JSON.parse(text).id as number)

/** Makes a run, and answers its ids and the state that the next one begins with. */
async function runOnce(config: object, state?: unknown, context = pullContext()) {
  const { data, state: last } = await pullWell(config, state, context)
  return {
    ids: idsOf(data),
    next: restApi.begin!(last) as { cursors: Record<string, { value: string; known: unknown[] }> },
  }
}

describe('runs that bring what is new', () => {
  it('ask from the greatest value, that one included, and leave out what is known', async () => {
    const rows: Row[] = [1, 2, 3, 4].map(id => ({ id, at: `2024-01-0${Math.min(id, 3)}T00:00:00Z` }))
    const source = await openGrowing(rows)
    const first = await runOnce(configOf(source.url))
    expect(first.ids).toEqual([1, 2, 3, 4])
    expect(source.had.every(({ url }) => !url.searchParams.has('since'))).toBe(true)
    source.had.length = 0
    const second = await runOnce(configOf(source.url), first.next)
    expect(second.ids).toEqual([])
    expect(source.had[0]!.url.searchParams.get('since')).toBe('2024-01-03T00:00:00Z')
    // Rows with the value that was the greatest, and with a greater one.
    rows.push({ id: 5, at: '2024-01-03T00:00:00Z' }, { id: 6, at: '2024-01-04T00:00:00Z' })
    const third = await runOnce(configOf(source.url), second.next)
    expect(third.ids).toEqual([5, 6])
    expect((await runOnce(configOf(source.url), third.next)).ids).toEqual([])
    expect(third.next.cursors).toMatchObject({ 'GET /x': { field: 'at', value: '2024-01-04T00:00:00Z' } })
  })

  it.each<[string, (n: number) => unknown]>([
    ['numbers', n => n * 10],
    ['numbers past 2^53', n => 9007199254740993n + BigInt(n)],
    ['decimals', n => n / 8],
    ['texts of digits', n => String(n * 5)],
    ['times with many digits', n => `2024-01-01T00:00:00.00000000${n}Z`],
    ['days', n => `2024-01-${String(n).padStart(2, '0')}`],
    ['other texts', n => `k${n}`],
  ])('by %s', async (_, value) => {
    for (const behaviour of [{}, { filters: false }, { sorted: false }, { filters: false, sorted: false }]) {
      const rows: Row[] = [3, 1, 3, 2].map((n, id) => ({ id, at: value(n) }))
      const source = await openGrowing(rows, behaviour, seeded(7))
      const first = await runOnce(configOf(source.url))
      expect(first.ids.toSorted()).toEqual([0, 1, 2, 3])
      rows.unshift({ id: 4, at: value(3) }, { id: 5, at: value(4) })
      const second = await runOnce(configOf(source.url), first.next)
      expect(second.ids.toSorted(), JSON.stringify(behaviour)).toEqual([4, 5])
      expect((await runOnce(configOf(source.url), second.next)).ids).toEqual([])
    }
  })

  it('take what comes late, within the lag', async () => {
    const rows: Row[] = [
      { id: 1, at: 100 },
      { id: 2, at: 200 },
    ]
    const source = await openGrowing(rows)
    const config = configOf(source.url, { lag: 50 })
    const first = await runOnce(config)
    rows.push({ id: 3, at: 150 }, { id: 4, at: 149 }, { id: 5, at: 220 })
    source.had.length = 0
    const second = await runOnce(config, first.next)
    expect(source.had[0]!.url.searchParams.get('since')).toBe('150')
    expect(second.ids).toEqual([3, 5])
    // 200 is within the lag of 220, and known.
    expect((await runOnce(config, second.next)).ids).toEqual([])
    rows.push({ id: 6, at: 170 })
    expect((await runOnce(config, second.next)).ids).toEqual([6])
  })

  it('take seconds as the lag of times', async () => {
    const rows: Row[] = [{ id: 1, at: '2024-01-01T10:00:00+02:00' }]
    const source = await openGrowing(rows)
    const { next } = await runOnce(configOf(source.url, { lag: 90 }))
    source.had.length = 0
    await runOnce(configOf(source.url, { lag: 90 }), next)
    expect(source.had[0]!.url.searchParams.get('since')).toBe('2024-01-01T09:58:30+02:00')
  })

  it('bring a row again that has changed', async () => {
    const rows: Row[] = [
      { id: 1, at: 5 },
      { id: 2, at: 5 },
    ]
    const source = await openGrowing(rows)
    const { next } = await runOnce(configOf(source.url))
    rows[0] = { id: 10, at: 5 }
    expect((await runOnce(configOf(source.url), next)).ids).toEqual([10])
  })

  it('that fail leave the cursor where it was', async () => {
    const rows: Row[] = [1, 2, 3, 4, 5].map(id => ({ id, at: id }))
    const source = await openGrowing(rows)
    const { next } = await runOnce(configOf(source.url))
    rows.push(...[6, 7, 8, 9].map(id => ({ id, at: id })))
    // Everything but the last page.
    const { state, error } = await pullAll(configOf(source.url, { max_pages: 2 }), next)
    expect(error!.message).toMatch(/max_pages/)
    expect(restApi.begin!(state)).toEqual(next)
    expect((await runOnce(configOf(source.url), restApi.begin!(state))).ids).toEqual([6, 7, 8, 9])
  })

  it('tell of rows without a value, and bring them', async () => {
    const rows: Row[] = [{ id: 1, at: null }, { id: 2 }, { id: 3, at: 5 }]
    const source = await openGrowing(rows, { filters: false, sorted: false })
    const { next } = await runOnce(configOf(source.url))
    const context = pullContext()
    expect((await runOnce(configOf(source.url), next, context)).ids).toEqual([1, 2])
    const warnings = context.told.filter(({ level }) => level === 'warning')
    expect(warnings).toEqual([
      {
        level: 'warning',
        message: 'a row has no value for the cursor: such rows come with every run',
        metadata: { endpoint: 'GET /x', cursor_field: 'at' },
      },
    ])
  })

  it('know nothing of another field', async () => {
    const source = await openSource((request, response) =>
      sendJson(response, request.url.searchParams.get('page') === '1' ? '[{"id":1,"at":5}]' : '[]'),
    )
    const { next } = await runOnce(configOf(source.url))
    expect((await runOnce(configOf(source.url, { cursor_field: 'id' }), next)).ids).toEqual([1])
    expect((await runOnce(configOf(source.url, { cursor_field: '/at' }), next)).ids).toEqual([1])
  })

  it('find a field within another, or with an odd name', async () => {
    const body = ['[{"m":{"a/b":7},"n\\u0061me":1},{"name":3,"m":{"a/b":9}}]', '[]']
    const source = await openSource((request, response) =>
      sendJson(response, body[Number(request.url.searchParams.get('page')) - 1]!),
    )
    expect((await runOnce(configOf(source.url, { cursor_field: '/m/a~1b' }))).next.cursors['GET /x']!.value).toBe('9')
    expect((await runOnce(configOf(source.url, { cursor_field: 'name' }))).next.cursors['GET /x']!.value).toBe('3')
  })

  it('remember only so many rows, keep the state small and say so', async () => {
    const count = 15_000
    let rows = Array.from({ length: count }, (_, id) => `{"id":${id},"at":5}`)
    const source = await openSource((_, response) => sendJson(response, `[${rows}]`))
    const config = { base_url: source.url, endpoints: [{ path: '/x', cursor_field: 'at' }] }
    const context = pullContext()
    const first = await pullWell(config, undefined, context)
    expect(first.data).toHaveLength(count)
    const sizes = first.pages.map(page => JSON.stringify(page.state).length)
    expect(Math.max(...sizes)).toBeLessThan(200_000)
    expect(context.told).toContainEqual({
      level: 'warning',
      message: 'more rows are at the cursor than are remembered: the others come again with the next run',
      metadata: expect.objectContaining({ endpoint: 'GET /x', cursor_field: 'at', value: '5', remembered: 12_000 }),
    })
    const second = await pullWell(config, restApi.begin!(first.state))
    // Some twice, none never.
    expect(second.data).toHaveLength(count - 12_000)
    expect(Math.max(...second.pages.map(page => JSON.stringify(page.state).length))).toBeLessThan(210_000)
    rows = rows.slice(0, 11_000)
    const few = await pullWell(config)
    expect((await pullWell(config, restApi.begin!(few.state))).data).toEqual([])
  })

  it('of several endpoints count together, when all of them are read', async () => {
    const rows: Row[] = [1, 2, 3].map(id => ({ id, at: id }))
    const source = await openGrowing(rows)
    const endpoint = configOf(source.url).endpoints[0]!
    const config = { base_url: source.url, endpoints: [endpoint, { ...endpoint, path: '/y' }, { ...endpoint }] }
    const first = await runOnce(config)
    expect(first.ids).toEqual([1, 2, 3, 1, 2, 3, 1, 2, 3])
    expect(Object.keys(first.next.cursors)).toEqual(['GET /x', 'GET /y', 'GET /x (2)'])
    rows.push({ id: 4, at: 4 })
    // Stopped within the second endpoint: the first one's new row comes again with the next run.
    let last: unknown
    for await (const page of pages(config, first.next)) {
      last = page.state
      if ((last as { at: { endpoint: string; page: number } }).at.endpoint === 'GET /y') break
    }
    expect(restApi.begin!(last)).toEqual(first.next)
    expect((await runOnce(config, restApi.begin!(last))).ids).toEqual([4, 4, 4])
    // And with this run the rest of it.
    expect(idsOf((await pullWell(config, last)).data)).toEqual([4, 4])
  })

  it('neither lose nor double a row, whatever comes in between', async () => {
    await property(25, async random => {
      const behaviour = { filters: random.chance(0.5), sorted: random.chance(0.5) }
      const lag = random.pick([0, 0, 3])
      const rows: Row[] = []
      const source = await openGrowing(rows, behaviour, random)
      const config = configOf(source.url, { lag })
      const got: number[] = []
      let state: unknown
      let greatest = 0
      for (let run = 0; run < 5; run++) {
        // New rows at the greatest value or past it, or within the lag before it.
        for (let n = random.int(8); n > 0; n--) {
          const at = Math.max(0, greatest - lag) + random.int(lag + 4)
          rows.splice(random.int(rows.length + 1), 0, { id: rows.length, at })
        }
        greatest = Math.max(0, ...rows.map(({ at }) => at as number))
        const { ids, next } = await runOnce(config, state)
        got.push(...ids)
        state = next
      }
      expect(got.toSorted((a, b) => a - b)).toEqual(rows.map((_, id) => id))
    })
  })
})
