import { randomBytes } from 'node:crypto'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, inject, it } from 'vitest'
import { createSchemas } from '../../src/log/kafka-schemas.ts'
import { incompatibilities } from '../../src/log/schema-diff.ts'
import { SPEC } from '../kit/events.ts'
import { freePort } from '../kit/processes.ts'
import { startWire } from '../kit/wire.ts'

const kafka = inject('kafka')

const record = (...fields: object[]) => ({ type: 'record', name: 'Thing', namespace: 'superinsight.sync', fields })
const id = { name: 'id', type: 'string' }
const count = { name: 'count', type: 'long' }
const note = { name: 'note', type: ['null', 'string'], default: null }

describe('incompatibilities', () => {
  it.each([
    ['the same', record(id, count), []],
    ['a field added with a default', record(id, count, note), []],
    [
      'another doc',
      record({ ...id, doc: 'more' }, { ...count, type: { type: 'long', logicalType: 'timestamp-millis' } }),
      [],
    ],
    [
      'a field added without a default',
      record(id, count, { name: 'x', type: 'int' }),
      ['field "x" was added without a default'],
    ],
    ['a field removed', record(id), ['field "count" was removed, and had no default']],
    [
      'a type changed',
      record(id, { ...count, type: 'string' }),
      ['field "count" changed its type from "long" to "string"'],
    ],
  ])('%s', (_, after, found) => {
    expect(incompatibilities(record(id, count), after)).toEqual(found)
  })
})

describe.skipIf(!kafka)('schemas in a registry', () => {
  const cacheFile = () => join(mkdtempSync(join(tmpdir(), 'sync-schemas-')), 'schemas.json')
  const topics = () => [{ ...SPEC, name: `t-${randomBytes(4).toString('hex')}`, records: ['Thing'] }]
  const open = (url: string, file = cacheFile()) => createSchemas(url, file)

  it('stops at one that does not fit, naming the subject, the record and the field', async () => {
    const declared = topics()
    await open(kafka!.registryUrl).register(declared, { Thing: record(id, count) })
    await open(kafka!.registryUrl).register(declared, { Thing: record(id, count, note) })
    const wrong = open(kafka!.registryUrl).register(declared, { Thing: record(id, { ...count, type: 'string' }) })
    await expect(wrong).rejects.toThrow(
      `Thing does not fit what ${declared[0]!.name}-value holds in the schema registry (FULL_TRANSITIVE): ` +
        'field "count" changed its type from "long" to "string"',
    )
  })

  it('are registered by many processes at once', async () => {
    const declared = topics()
    const all = Array.from({ length: 8 }, () => open(kafka!.registryUrl))
    await Promise.all(all.map(schemas => schemas.register(declared, { Thing: record(id, count) })))
    expect(new Set(all.map(schemas => schemas.idOf('Thing'))).size).toBe(1)
  })

  it('go on from what the registry said before, while it is away', async () => {
    const { port, pathname } = new URL(kafka!.registryUrl)
    const wire = await startWire(Number(port))
    const url = `http://127.0.0.1:${wire.port}${pathname}`
    const [declared, file] = [topics(), cacheFile()]
    const before = open(url, file)
    await before.register(declared, { Thing: record(id, count) })
    await wire.stop()
    const schemas = open(url, file)
    await schemas.register(declared, { Thing: record(id, count) })
    expect(schemas.idOf('Thing')).toBe(before.idOf('Thing'))
    expect(await schemas.byId(schemas.idOf('Thing'))).toEqual(record(id, count))
    const changed = schemas.register(declared, { Thing: record(id, count, note) })
    await expect(changed).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })

  it('say where the registry should be, and not its password', async () => {
    const url = `http://user:s3cret@127.0.0.1:${await freePort()}/apis/ccompat/v7`
    const failure = await open(url)
      .register(topics(), { Thing: record(id) })
      .catch(error => error)
    expect(failure.message).toMatch(
      /^the schema registry at http:\/\/127\.0\.0\.1:\d+\/apis\/ccompat\/v7 cannot be reached/,
    )
    expect(failure.message + failure.stack).not.toContain('s3cret')
  })
})
