import { call, type Item } from './api.ts'
import type { Service } from './service.ts'

/** Reads all the time: no error, no record and no count that goes back, and a position that was reached stays so. */
export function startReader(service: Service) {
  const faults: string[] = []
  let reads = 0
  let stopping = false

  async function page(path: string): Promise<Item[]> {
    const { status, body, text } = await call<{ items: Item[] }>(service, path)
    reads++
    if (status !== 200) faults.push(`${path}: ${status} ${text}`)
    return body?.items ?? []
  }

  async function loop(): Promise<void> {
    let position = ''
    // Its own: an answer to somebody else's later question may come before that to its own.
    const versions = new Map<string, number>()
    while (!stopping && faults.length < 10) {
      const items = await page(`/datasets/orders/records?limit=200${position ? `&min_position=${position}` : ''}`)
      for (const { id, version } of items) {
        if (version < (versions.get(id) ?? 0)) faults.push(`${id} went back from ${versions.get(id)} to ${version}`)
        versions.set(id, version)
      }
      position = items.at(-1)?.position ?? ''
      await page('/conflicts?limit=50')
      const { status, text, body } = await call<{ records_count: number }>(service, '/datasets/orders')
      if (status !== 200) faults.push(`/datasets/orders: ${status} ${text}`)
      else if (body.records_count < 100) faults.push(`only ${body.records_count} records are counted`)
    }
  }
  const running = Promise.all([loop(), loop()])
  return {
    faults,
    async stop() {
      stopping = true
      await running
      return reads
    },
  }
}
