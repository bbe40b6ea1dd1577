/**
 * Writes test/fixtures/corpus/<version>.json: events as that version wrote them, by its schemas in test/fixtures/events, and
 * the rows that follow from them. The tests replay every version's corpus through today's projections for ever, so one
 * that exists is never written again: `node scripts/make-corpus.ts v6`, after make-fixtures.ts. Only its rows are, when a
 * projection's version has grown because it makes other rows of the same events: `node scripts/make-corpus.ts v6 rows`.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import avro from 'avsc'
import { type CorpusEvent, replayCorpus } from '../test/kit/corpus.ts'
import type { Sourced } from '../test/kit/fold.ts'
import { randomConflicts } from '../test/kit/made-conflicts.ts'
import { randomJobEvents, randomRejections, randomSettings } from '../test/kit/made-events.ts'
import { seeded } from '../test/kit/random.ts'
import { randomEvents } from '../test/kit/record-events.ts'
import type { AvroRecord, Fixture } from './make-fixtures.ts'

const EACH = 40

/** Events of everything that is projected, as today's code would have them. */
function events(seed: number): Sourced[] {
  const random = seeded(seed)
  const records = randomEvents(random, EACH).map(({ event, source }) => ({ type: 'RecordPushed', event, source }))
  return [
    ...records,
    ...[randomConflicts, randomJobEvents, randomRejections, randomSettings].flatMap(make => make(random, EACH)),
  ]
}

/** An event as a schema of before has it: without the fields that it does not know. */
function asOf(schema: AvroRecord, event: object): Record<string, unknown> {
  const given = event as Record<string, unknown>
  return Object.fromEntries(schema.fields!.map(({ name }) => [name, given[name]]))
}

const [version = '', only] = process.argv.slice(2)
if (!/^v[1-9]\d*$/.test(version) || (only !== undefined && only !== 'rows'))
  throw new Error(`usage: node scripts/make-corpus.ts v2 [rows]; got "${process.argv.slice(2).join(' ')}"`)
const fixtures = fileURLToPath(new URL('../test/fixtures/', import.meta.url))
const file = `${fixtures}corpus/${version}.json`
const known = JSON.parse(readFileSync(`${fixtures}events/${version}.json`, 'utf8')) as Fixture[]
const written = only === 'rows' ? (JSON.parse(readFileSync(file, 'utf8')).events as CorpusEvent[]) : made()
const rows = await replayCorpus(known, written)
mkdirSync(`${fixtures}corpus`, { recursive: true })
// The flag wx fails when the file is there.
writeFileSync(file, JSON.stringify({ events: written, rows }), { flag: only === 'rows' ? 'w' : 'wx' })
execFileSync('biome', ['format', '--write', file], { cwd: fixtures })
console.log(`wrote ${file}: ${written.length} events`)

function made(): CorpusEvent[] {
  return events(Number(version.slice(1))).flatMap(({ type, event, source }) => {
    const schema = known.find(({ name }) => name === type)?.schema
    if (!schema) return []
    const body = avro.Type.forSchema(schema as avro.Schema).toBuffer(asOf(schema, event))
    return [{ type, key: source.key, avro: body.toString('hex') }]
  })
}
