import { type Audit, serverAudits } from 'graphql-http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { removeData, type Service, startService } from '../kit/service.ts'

let service: Service
beforeAll(async () => {
  service = await startService()
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

const audits: Audit[] = serverAudits({
  url: () => `${service.url}/graphql`,
  fetchFn: (url: string, init: RequestInit = {}) => {
    const headers = new Headers(init.headers)
    headers.set('authorization', `Bearer ${service.token}`)
    return fetch(url, { ...init, headers })
  },
})

describe('GraphQL over HTTP, as the package graphql-http audits it', () => {
  it('is audited', () => expect(audits.length).toBeGreaterThan(50))

  it.each(audits.map(audit => [audit.name, audit] as const))('%s', async (_, audit) => {
    const result = await audit.fn()
    expect(result.status === 'ok' ? 'ok' : `${result.status}: ${result.reason}`).toBe('ok')
  })
})
