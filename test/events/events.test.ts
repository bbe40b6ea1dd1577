import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { readSchemas, render } from '../../scripts/generate-events.ts'
import { readTopics } from '../../src/adapters.ts'

describe('src/events/index.ts', () => {
  it('is what npm run generate makes of schemas/', () => {
    const file = fileURLToPath(new URL('../../src/events/index.ts', import.meta.url))
    expect(readFileSync(file, 'utf8'), 'stale: run npm run generate').toBe(render(readSchemas()))
  })
})

describe('an event record', () => {
  const names = readSchemas().map(({ name }) => name!)
  const travellers = readTopics().flatMap(({ name, records }) => records.map(record => ({ topic: name, record })))

  it.each(names)('%s travels on exactly one topic', name => {
    expect(travellers.filter(({ record }) => record === name)).toHaveLength(1)
  })

  it('that a topic names is declared in schemas/', () => {
    expect(travellers.filter(({ record }) => !names.includes(record))).toEqual([])
  })

  it('has a name of its own', () => {
    expect(new Set(names).size).toBe(names.length)
  })
})
