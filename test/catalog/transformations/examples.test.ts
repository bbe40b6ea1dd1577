import { describe, expect, it } from 'vitest'
import { compileTransformations, transformations } from '../../../src/catalog/transformations/index.ts'
import { LIMITS } from '../../kit/transformations.ts'

describe.each(transformations.map(entry => [entry.name, entry] as const))('%s', (type, entry) => {
  it('says what it is for', () => {
    expect(entry.summary).toMatch(/^[A-Z].*\.$/s)
    expect(entry.examples.length).toBeGreaterThan(0)
  })

  it.each(entry.examples.map(example => [example.about, example] as const))('%s', (_about, example) => {
    const transform = compileTransformations([{ type, config: example.config }], 'transformations', LIMITS)()
    const result = transform(example.input)
    const { output } = example
    if (output === null) expect(result).toEqual({ dropped: true })
    else if (typeof output === 'string') expect(result).toEqual({ json: output })
    else {
      expect(result).toMatchObject({ refused: { code: output.refused, field: output.field, index: 0 } })
      expect((result as { refused: { message: string } }).refused.message).toContain(`transformations.0 (${type}): `)
    }
    if (output === null) expect(entry.can.drop).toBe(true)
    if (typeof output === 'object' && output) expect(entry.can.refuse).toBe(true)
  })
})
