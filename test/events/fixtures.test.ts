import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import avro from 'avsc'
import { describe, expect, it } from 'vitest'
import { readSchemas } from '../../scripts/generate-events.ts'
import { type AvroRecord, asJson, type Fixture } from '../../scripts/make-fixtures.ts'
import type { Events } from '../../src/events/index.ts'
import { PackedEvent } from '../../src/log/batch.ts'
import { type Codec, createCodec } from '../../src/log/codec.ts'
import type { StoredEvent } from '../../src/log/log.ts'
import { liftOf, type Upcaster, upcasters } from '../../src/log/upcasters.ts'

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const FIXTURES = path('../fixtures/events/')
const SCRIPT = path('../../scripts/make-fixtures.ts')

const versions = readdirSync(FIXTURES).map(file => ({
  version: file.replace('.json', ''),
  fixtures: JSON.parse(readFileSync(FIXTURES + file, 'utf8')) as Fixture[],
}))
const today = new Map(readSchemas().map(schema => [schema.name!, schema]))

/** A log that wrote its events with the fixtures' schemas, under ids that are not those of today's. */
function codecOver(fixtures: readonly Fixture[]): Codec {
  const names = [...today.keys()]
  return createCodec({
    schemaId: type => names.indexOf(type),
    async schema(id) {
      const fixture = fixtures[id - 1000]
      if (!fixture) throw new Error(`nobody should ask for schema ${id}`)
      return fixture.schema
    },
  })
}

function stored(schemaId: number, avro: string): StoredEvent {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(schemaId, 1)
  return { offset: 0, time: 0, key: Buffer.alloc(0), value: Buffer.concat([head, Buffer.from(avro, 'hex')]) }
}

/** What today's code should see: fields that are gone are dropped, fields that are new have their defaults, or are lifted. */
function resolved({ name, schema }: Fixture, json: Record<string, unknown>): Record<string, unknown> {
  const old = new Set(schema.fields!.map(field => field.name))
  const event = Object.fromEntries(
    today.get(name)!.fields!.map(field => [field.name, old.has(field.name) ? json[field.name] : field.default]),
  )
  return (liftOf(name as keyof Events, schema)?.(event) ?? event) as Record<string, unknown>
}

describe.each(versions)('the events of $version', ({ fixtures }) => {
  it.each(fixtures.map((fixture, n) => ({ name: fixture.name, fixture, id: 1000 + n })))(
    '$name is read by today’s code',
    async ({ fixture, id, name }) => {
      const codec = codecOver(fixtures)
      for (const { json, avro } of fixture.examples) {
        const event = stored(id, avro)
        await codec.prepare([event])
        const { type, data } = codec.decode(event.value)
        expect(type).toBe(name)
        expect(asJson(data)).toEqual(resolved(fixture, json))
      }
    },
  )
})

describe('the fixtures', () => {
  it.each([...today.keys()])('have an example of %s', name => {
    const covered = versions.some(({ fixtures }) => fixtures.some(fixture => fixture.name === name))
    expect(covered, 'run node scripts/make-fixtures.ts with the next version').toBe(true)
  })

  it.each(['v1', 'v0', 'latest', ''])('are not written for the version "%s"', version => {
    const before = readFileSync(`${FIXTURES}v1.json`)
    expect(() => execFileSync(process.execPath, [SCRIPT, version], { stdio: 'pipe' })).toThrow(
      version === 'v1' ? 'EEXIST' : 'is no version',
    )
    expect(readFileSync(`${FIXTURES}v1.json`).equals(before)).toBe(true)
  })
})

describe('an older schema', () => {
  /** RecordRejected as it might have been: without two fields, with one that is gone, with a number that was smaller. */
  const older: AvroRecord = structuredClone(today.get('RecordRejected')!)
  older.fields = [
    { name: 'colour', type: 'string' },
    ...older
      .fields!.filter(({ name }) => name !== 'dataset' && name !== 'record_id')
      .map(field => (field.name === 'line' ? { ...field, type: 'int' } : field)),
  ]
  const event = {
    colour: 'red',
    id: 'rej_1',
    stage: 'parse',
    code: 'INVALID_JSON',
    field: 'id',
    message: 'm',
    original: Buffer.from([0, 255]),
    original_bytes: 2,
    source: 's',
    actor: 'a',
    request_id: 'r',
    line: 7,
    received_at: 1_750_000_000_000,
  }
  const fixture: Fixture = { name: 'RecordRejected', schema: older, examples: [] }
  const body = avro.Type.forSchema(older as avro.Schema)
    .toBuffer(event)
    .toString('hex')

  it('is read as today’s: what is new has its default, what is gone is dropped', async () => {
    const codec = codecOver([fixture])
    await codec.prepare([stored(1000, body)])
    const { colour: _, ...rest } = event
    const added = {
      data_only: false,
      id_at: null,
      data: null,
      text_only: false,
      upsert: true,
      validate: true,
      transform: true,
    }
    expect(asJson(codec.decode(stored(1000, body).value).data)).toEqual(
      asJson({
        ...rest,
        ...{ dataset: null, record_id: null, job_id: null, value: null, webhook_id: null },
        ...added,
      }),
    )
  })

  it('is not guessed at: one that was not prepared, or whose event ends early, is an error', async () => {
    const codec = codecOver([fixture])
    expect(() => codec.decode(stored(1000, body).value)).toThrow('schema 1000 was not prepared')
    await codec.prepare([stored(1000, body)])
    expect(() => codec.decode(stored(1000, body.slice(0, -2)).value)).toThrow('ends early')
  })

  it('is read where it lies in its page, and what comes after it there is not', async () => {
    const codec = codecOver([fixture])
    const { value } = stored(1000, body)
    const page = Buffer.concat([value, value])
    const event = (start: number, end: number) => new PackedEvent(0, 0, page, start, start, start, end)
    await codec.prepare([event(0, value.length)])
    const second = codec.read(event(value.length, page.length))
    expect(asJson(second)).toEqual(asJson(codec.decode(value)))
    expect(asJson(codec.read(stored(1000, body)))).toEqual(asJson(second))
    expect(() => codec.read(event(0, value.length - 1))).toThrow('ends early')
    expect(() => codec.read(event(0, 4))).toThrow('a value of 4 bytes has no schema')
    await expect(codec.prepare([event(0, 4)])).rejects.toThrow('a value of 4 bytes has no schema')
  })

  it('of a record that nobody knows any more is an error that names it', async () => {
    const codec = codecOver([{ ...fixture, schema: { ...older, name: 'Forgotten' } }])
    await expect(codec.prepare([stored(1000, body)])).rejects.toThrow('superinsight.sync.Forgotten')
  })
})

describe('upcasters', () => {
  it.each(upcasters.map(upcaster => ({ ...upcaster })))(
    '"$name" lifts events of schemas that were, and none of today',
    each => {
      const { type, lacks } = each
      const lifted = versions.filter(({ fixtures }) =>
        fixtures.some(({ name, schema }) => name === type && !schema.fields!.some(field => field.name === lacks)),
      )
      expect(lifted.length).toBeGreaterThan(0)
      expect(today.get(type)!.fields!.map(({ name }) => name)).toContain(lacks)
      expect(liftOf(type, today.get(type)!)).toBeUndefined()
    },
  )

  it('are applied in their order, to their type, and only where the field is lacking', () => {
    const adding = (letter: string, lacks: string, type: keyof Events = 'RecordPushed') =>
      ({
        name: letter,
        type,
        lacks,
        lift: (event: object) => ({ said: `${(event as { said: string }).said}${letter}` }),
      }) as unknown as Upcaster
    const all = [adding('a', 'x'), adding('b', 'y'), adding('c', 'x', 'RunQueued'), adding('d', 'x')]
    expect(liftOf('RecordPushed', { fields: [{ name: 'y' }] }, all)!({ said: '' })).toEqual({ said: 'ad' })
    expect(liftOf('RecordPushed', { fields: [] }, all)!({ said: '' })).toEqual({ said: 'abd' })
    expect(liftOf('RecordPushed', { fields: [{ name: 'x' }, { name: 'y' }] }, all)).toBeUndefined()
  })

  it('make an insert-only push from before there were conflicts one that leaves what is there', async () => {
    const { fixtures } = versions.find(({ version }) => version === 'v4')!
    const at = fixtures.findIndex(({ name }) => name === 'RecordPushed')
    const type = avro.Type.forSchema(fixtures[at]!.schema as avro.Schema)
    const push = {
      ...{ dataset: 'd', id: 'i', op: 'upsert', data: '{}', version: null, updated_at: null, source: 's' },
    }
    const rest = { actor: 'a', request_id: 'r', line: 1, received_at: 5, job_id: null }
    const codec = codecOver(fixtures)
    const conflicts = []
    for (const upsert of [false, true]) {
      const event = stored(1000 + at, type.toBuffer({ ...push, ...rest, upsert }).toString('hex'))
      await codec.prepare([event])
      conflicts.push((codec.decode(event.value).data as Events['RecordPushed']).conflict)
    }
    expect(conflicts).toEqual([{ policy: null, resolves: null, resolution: null, write: true }, null])
  })
})
