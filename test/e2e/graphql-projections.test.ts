import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, pushLines, readRecords, tokenFor } from '../kit/api.ts'
import { ask, refusal } from '../kit/graphql.ts'
import { until } from '../kit/processes.ts'
import { removeData, type Service, startService, untilProjected } from '../kit/service.ts'

interface Projection {
  name: string
  position: string
  lag: number
  version: number
  rebuild: { id: string; state: string; progress: number | null; reason: string } | null
  lastRebuild: { id: string; state: string } | null
}

let service: Service
let end: string
beforeAll(async () => {
  service = await startService()
  const lines = Array.from({ length: 5000 }, (_, n) => JSON.stringify({ id: `r${n}`, data: { n } }))
  end = (await pushLines(service, 'dataset=made', lines.join('\n'))).body.position
  await untilProjected(service, end)
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

const FIELDS = 'name position lag version lastRebuild rebuild { id state progress lag reason requestedAt startedAt }'
const REBUILD = `mutation Rebuild($name: String!) { rebuildProjection(name: $name) { ${FIELDS} } }`

describe('projections', () => {
  it('are told as over REST', async () => {
    const { projections, projection, none } = await ask<{
      projections: Projection[]
      projection: Projection
      none: null
    }>(
      service,
      `{ projections { ${FIELDS} } projection(name: "records") { ${FIELDS} } none: projection(name: "no") { name } }`,
    )
    const { items } = (await call<{ items: { name: string; version: number }[] }>(service, '/projections')).body
    expect(projections.map(({ name, version }) => ({ name, version }))).toEqual(
      items.map(({ name, version }) => ({ name, version })),
    )
    expect(projection).toMatchObject({ name: 'records', lag: 0, rebuild: null, lastRebuild: null })
    expect(none).toBeNull()
  })

  it('are rebuilt by admins, once at a time', async () => {
    const { access_token: writer } = await tokenFor(service, 'sync:read sync:write')
    const refused = await refusal(service, REBUILD, { name: 'records' }, { as: writer })
    expect([refused.code, refused.message]).toEqual(['FORBIDDEN', expect.stringContaining('sync:admin')])
    const { access_token: as } = await tokenFor(service, 'sync:admin')
    const asked = await call<{ data: { rebuildProjection: Projection } }>(service, '/graphql', {
      ...{ as, body: { query: REBUILD, variables: { name: 'records' } } },
    })
    const { rebuild, position } = asked.body.data.rebuildProjection
    expect([rebuild!.reason, position]).toEqual(['asked', expect.stringContaining('~')])
    const ended = async () => {
      const query = `{ projection(name: "records") { ${FIELDS} } }`
      const { projection } = await ask<{ projection: Projection }>(service, query)
      return projection.rebuild === null && projection.lastRebuild
    }
    expect(await until('the rebuild to end', ended)).toMatchObject({ id: rebuild!.id, state: 'completed' })
    expect(await readRecords(service, 'made', end)).toHaveLength(5000)
    expect((await refusal(service, REBUILD, { name: 'no' })).code).toBe('NOT_FOUND')
  })
})
