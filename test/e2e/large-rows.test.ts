import { afterAll, beforeAll, expect, it } from 'vitest'
import { removeData, type Service, startService, untilProjected } from '../kit/service.ts'

const COUNT = 2500
const LARGE = 'y'.repeat(100_000)

let service: Service

beforeAll(async () => {
  service = await startService()
})
afterAll(async () => {
  await service.stop()
  removeData(service)
})

async function push(data: (n: number) => object): Promise<string> {
  const lines = Array.from({ length: COUNT }, (_, n) => JSON.stringify({ id: `r${n}`, data: data(n) }))
  const answer = await fetch(`${service.url}/push/stream?dataset=large`, {
    method: 'POST',
    headers: { authorization: `Bearer ${service.token}`, 'content-type': 'application/x-ndjson' },
    body: lines.join('\n'),
  })
  expect(answer.status).toBe(200)
  return ((await answer.json()) as { position: string }).position
}

interface Page {
  items: { id: string; version: number }[]
  next_cursor: string | null
}

it('reads large rows in pages of bounded size, each once', async () => {
  await untilProjected(service, await push(() => ({ s: LARGE })))
  const ids: string[] = []
  for (let cursor = ''; ; ) {
    const answer = await service.get(`/datasets/large/records?limit=1000${cursor}`)
    expect(answer.status).toBe(200)
    const text = await answer.text()
    expect(text.length).toBeLessThan(16 * 1024 * 1024)
    const { items, next_cursor }: Page = JSON.parse(text)
    ids.push(...items.map(({ id }) => id))
    if (next_cursor === null) break
    cursor = `&cursor=${next_cursor}`
  }
  expect(ids.length).toBe(COUNT)
  expect(new Set(ids).size).toBe(COUNT)
})

it('projects small pushes that touch more large rows than a heap holds', async () => {
  await untilProjected(service, await push(() => ({ s: 1 })))
  const answer = await service.get('/datasets/large/records?limit=1000')
  const { items } = (await answer.json()) as Page
  expect(items.length).toBe(1000)
  expect(items.every(({ version }) => version === 2)).toBe(true)
  expect(service.process.child.exitCode).toBeNull()
})
