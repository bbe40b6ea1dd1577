import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { settingRows } from '../src/config.ts'

interface Service {
  image: string
  build?: string
  environment?: Record<string, string>
  healthcheck?: object
  ports?: string[]
}

const text = readFileSync(new URL('../docker-compose.yml', import.meta.url), 'utf8')
const { services } = parse(text, { merge: true }) as { services: Record<string, Service> }
const SECRETS = /PASSWORD|SECRET|KEY/

describe('docker-compose.yml', () => {
  it.each(Object.entries(services))(
    '%s: its image is pinned, its health is checked, no secret stands in it',
    (_, service) => {
      expect(service.image).toMatch(/:\d+(\.\d+)+$/)
      expect(service.healthcheck).toMatchObject({ test: expect.any(Array) })
      for (const [name, value] of Object.entries(service.environment ?? {})) {
        if (SECRETS.test(name)) expect(value).toMatch(/^\$\{[A-Z_]+:\?[^}]+\}$/)
        expect(value.replaceAll(/\$\{[^}]+\}/g, '')).not.toMatch(/:[^@/]+@/)
      }
      for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/)
    },
  )

  it('names settings that exist, and every role', () => {
    const known = settingRows().map(([name]) => name)
    const ours = Object.values(services).filter(({ build }) => build)
    for (const { environment } of ours) expect(known).toEqual(expect.arrayContaining(Object.keys(environment!)))
    expect(ours.map(({ environment }) => environment!.ROLES).sort()).toEqual(['decider', 'edge', 'projector', 'runner'])
  })
})
