import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import avro from 'avsc'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readSchemas } from '../../scripts/generate-events.ts'
import { readTopics } from '../../src/adapters.ts'
import { schemas } from '../../src/events/index.ts'
import { type Codec, createCodec } from '../../src/log/codec.ts'
import { openEmbeddedLog } from '../../src/log/embedded.ts'
import type { Log } from '../../src/log/log.ts'
import { checkSource } from '../../src/log/migrate/check.ts'
import { layouts } from '../../src/log/migrate/layout.ts'
import { createRewriter, REFERENCES } from '../../src/log/migrate/rewrite.ts'
import { openSource } from '../../src/log/migrate/source.ts'

const TOPICS = readTopics()

let dir: string
let log: Log
let codec: Codec
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'sync-migrate-'))
  log = openEmbeddedLog({ file: join(dir, 'log.db') })
  await log.declare(TOPICS, schemas)
  codec = createCodec(log)
})
afterEach(async () => {
  await log.stop()
  rmSync(dir, { recursive: true })
})

const PUSHED = { dataset: 'd', op: 'upsert' as const, data: '{}', version: null, updated_at: null, upsert: true }
const BY = {
  source: 's',
  actor: 'a',
  request_id: 'r',
  line: 0,
  received_at: 1,
  job_id: null,
  conflict: null,
  origin: null,
  keeps_rules: null,
}
const CHANGED = {
  dataset: 'd',
  operation: 'create' as const,
  version: 1,
  changes: '{}',
  source: 's',
  changed_at: 1,
  job_id: null,
  told_more: false,
  removed: [],
}

async function push(id: string): Promise<number> {
  const { offsets } = await log.append([
    codec.batch('sync.records', 'RecordPushed', `d\0${id}`, { ...PUSHED, ...BY, id }),
  ])
  return offsets.get('log')!
}

function change(id: string, source_offset: number): Promise<unknown> {
  const event = { ...CHANGED, id, source_stream: 'sync.records-0', source_offset }
  return log.append([codec.batch('sync.changes', 'RecordChanged', `d\0${id}`, event)])
}

/** News of a conflict in a record, and the conflict itself. */
async function conflict(id: string, source_offset: number): Promise<void> {
  const place = {
    conflict_id: `conf_${id}`,
    dataset: 'd',
    source_stream: 'sync.records-0',
    source_offset,
    job_id: null,
  }
  const told = { ...place, id, news: 'detected' as const, conflict_type: 'version', resolution: null, told_at: 1 }
  const sides = { current: '{}', current_version: 2, current_updated_at: null, current_source: null, incoming: null }
  const found = { ...place, record_id: id, conflict_type: 'version', policy: 'manual', resolution: null, ...sides }
  const more = { incoming_version: 1, incoming_updated_at: null, fields: ['a'], source: 's', request_id: 'r' }
  await log.append([
    codec.batch('sync.changes', 'ConflictTold', `d\0${id}`, { ...told, resolution_required: true }),
    codec.batch('sync.conflicts', 'ConflictDetected', `conflict/conf_${id}`, { ...found, ...more, detected_at: 1 }),
  ])
}

/** Where each event of a topic points once it is rewritten, when Kafka's partitions begin at these offsets. */
async function rewrittenChanges(
  base = [0, 0],
  topic = 'sync.changes',
): Promise<[id: string, stream: string, offset: number][]> {
  const source = openSource(join(dir, 'log.db'))
  try {
    const layout = layouts(TOPICS, () => 2, Date.now())
    const bases = new Map([...layout.keys()].map(name => [name, name === 'sync.records' ? base : [0, 0]]))
    const schemaIds = new Map(source.schemas.map(({ id }) => [id, id + 1000]))
    const rewrite = createRewriter({ source, layouts: layout, bases, schemaIds })
    const found: [string, string, number][] = []
    await codec.prepare([...source.events(topic, -1, 0)])
    for (const event of source.events(topic, -1, 0)) {
      const value = rewrite(event, topic)
      expect(value.readUInt32BE(1)).toBe(event.value.readUInt32BE(1) + 1000)
      const type = avro.Type.forSchema(schemas[codec.decode(event.value).type] as avro.Schema)
      const { id, record_id, source_stream, source_offset } = type.decode(value, 5).value
      found.push([id ?? record_id, source_stream, source_offset])
    }
    return found
  } finally {
    source.close()
  }
}

describe('a copied event', () => {
  it('points at the same record, counted in its partition', async () => {
    const offsets = new Map<string, number>()
    const ids = Array.from({ length: 50 }, (_, n) => `r${n}`)
    for (const id of ids) {
      offsets.set(id, await push(id))
      if (offsets.size % 7 === 0) await change('between', offsets.get(id)!)
    }
    for (const id of ids) await change(id, offsets.get(id)!)
    const found = (await rewrittenChanges([0, 10])).filter(([id]) => id !== 'between')
    expect(found.map(([id]) => id)).toEqual(ids)
    for (const partition of [0, 1]) {
      const ofPartition = found.filter(([, stream]) => stream === `sync.records-${partition}`)
      expect(ofPartition.length).toBeGreaterThan(10)
      expect(ofPartition.map(([, , offset]) => offset)).toEqual(ofPartition.map((_, n) => n + 10 * partition))
    }
  })

  it('of a conflict points at its record, whose key is not its own', async () => {
    const ids = Array.from({ length: 20 }, (_, n) => `r${n}`)
    for (const id of ids) {
      const offset = await push(id)
      await change(id, offset)
      await conflict(id, offset)
    }
    const changes = (await rewrittenChanges()).filter((_, n) => n % 2 === 0)
    expect((await rewrittenChanges()).filter((_, n) => n % 2 === 1)).toEqual(changes)
    expect(await rewrittenChanges([0, 0], 'sync.conflicts')).toEqual(changes)
  })

  it('that repeats an earlier one points back', async () => {
    const [a, b] = [await push('a'), await push('b')]
    for (const [id, offset] of [
      ['a', a],
      ['b', b],
      ['a', a],
      ['b', b],
    ] as const)
      await change(id, offset)
    const found = await rewrittenChanges()
    expect(found.slice(2)).toEqual(found.slice(0, 2))
  })

  it('that points at nothing is damage, which is named', async () => {
    await push('a')
    await change('a', 1)
    await expect(rewrittenChanges()).rejects.toThrow('an event points at sync.records 1, which is not there')
  })
})

it('every field that holds a place in the log is turned into one of Kafka', () => {
  const places = readSchemas().flatMap(({ name, fields }) =>
    fields!.filter(field => /_(stream|offset)$/.test(field.name)).map(field => `${name}.${field.name}`),
  )
  const known = Object.entries(REFERENCES).flatMap(([name, { stream, offset }]) => [
    `${name}.${stream}`,
    `${name}.${offset}`,
  ])
  expect(places.toSorted()).toEqual(known.toSorted())
})

it('a source is counted by partition: what is copied, what is handled, and not what retention has taken', async () => {
  for (let n = 0; n < 30; n++) await push(`r${n}`)
  const stream = log.streams('sync.records')[0]!
  await log.append([], { consumed: { group: 'projector-records', stream, offset: 19 } })
  const source = openSource(join(dir, 'log.db'))
  const check = (now: number) =>
    checkSource({
      source,
      layouts: layouts(
        TOPICS.map(topic => ({ ...topic, retention_ms: 1000 })),
        () => 2,
        now,
      ),
      copiedThrough: (_topic, partition) => (partition === 0 ? 9 : -1),
      onProgress: () => undefined,
    })
  const [zero, one] = (await check(Date.now())).get('sync.records')!
  expect(zero!.events + one!.events).toBe(30)
  expect([zero!.copied > 0, zero!.copied < zero!.events, one!.copied]).toEqual([true, true, 0])
  expect(zero!.handled.get('projector-records')! + one!.handled.get('projector-records')!).toBe(20)
  const later = (await check(Date.now() + 60_000)).get('sync.records')!
  expect(later.map(({ events }) => events)).toEqual([0, 0])
  source.close()
})
