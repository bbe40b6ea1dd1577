import { afterAll, beforeAll, expect, it } from 'vitest'
import { call, pushBatch } from '../kit/api.ts'
import { ask, type Connected } from '../kit/graphql.ts'
import { dilute, type MadeItem, madeRecords, pushRows } from '../kit/made-datasets.ts'
import { removeData, type Service, startService, untilProjected } from '../kit/service.ts'

interface Origin {
  datasetId: string
  recordId: string
  strategy: string
  seed: string
}
interface Made {
  id: string
  origin: Origin | null
  history: Connected<{ version: number; origin: Origin | null }>
}

const ORIGIN = 'origin { datasetId recordId strategy seed }'
const QUERY = `{ dataset(id: "made") { category categorySource qualityScore
  records(first: 100) { nodes { id ${ORIGIN} history(first: 5) { nodes { version ${ORIGIN} } } } } } }`

let service: Service
beforeAll(async () => {
  service = await startService()
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

function originOf({ origin }: MadeItem): Origin | null {
  if (!origin) return null
  return { datasetId: origin.dataset_id, recordId: origin.record_id, strategy: origin.strategy, seed: origin.seed }
}

it('tells what a record was made of, in each of its versions, and how good its data set is, as REST does', async () => {
  const rows = (from: number) =>
    Array.from({ length: 10 }, (_, n) => JSON.stringify({ kind: n % 2 === 0 ? 'even' : 'odd', n: from + n }))
  await pushRows(service, 'poor', rows(0))
  const position = await pushRows(service, 'rich', rows(100), 'g')
  const config = { dilution_ratio: 0.5, matching_fields: ['kind'], quality_threshold: 0 }
  const sets = { source_dataset_id: 'poor', dilution_dataset_ids: ['rich'] }
  const more = { name: 'made', seed: '7', output_category: 'mixed' }
  const { body } = await dilute(service, { ...sets, config, ...more }, position)
  const before = await madeRecords(service, 'made', body.position)
  const made = before.filter(({ origin }) => origin)
  expect([before.length, made.length]).toEqual([15, 5])
  const pushed = await pushBatch(service, 'made', [{ id: made[0]!.id, data: { kind: 'mine' } }])
  await untilProjected(service, pushed.body.position)

  const { dataset } = await ask<{
    dataset: { category: string; categorySource: string; qualityScore: number; records: Connected<Made> }
  }>(service, QUERY)
  const { records, ...about } = dataset
  const rest = (await call<Record<string, unknown>>(service, '/datasets/made')).body
  expect(about).toEqual({ category: 'mixed', categorySource: 'set', qualityScore: rest.quality_score })
  expect(about.qualityScore).toBeGreaterThan(0.5)
  const after = await madeRecords(service, 'made', pushed.body.position)
  expect(records.nodes.map(({ id, origin }) => ({ id, origin }))).toEqual(
    after.map(item => ({ id: item.id, origin: originOf(item) })),
  )
  const { history } = records.nodes.find(({ id }) => id === made[0]!.id)!
  expect(history.nodes).toEqual([
    { version: 1, origin: originOf(made[0]!) },
    { version: 2, origin: null },
  ])
})
