/**
 * Writes test/fixtures/events/<version>.json: for every event record its schema as it is now, and examples with their
 * Avro bodies in hex. Run it once for each version that is released, `node scripts/make-fixtures.ts v2`: the tests read
 * the fixtures of every version with today's code for ever, so a version that exists is never written again.
 */
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import avro from 'avsc'
import { readSchemas } from './generate-events.ts'

export type AvroRecord = ReturnType<typeof readSchemas>[number]

export interface Fixture {
  name: string
  schema: AvroRecord
  /** `json` is the event, its bytes as hex; `avro` is its Avro body in hex. */
  examples: { json: Record<string, unknown>; avro: string }[]
}

type Avro = AvroRecord['type']
const LONG = 9_007_199_254_740_991

/** A value of a type: the least one, or one with everything there is, told apart by the field's name. */
function example(type: Avro, name: string, full: boolean): unknown {
  if (Array.isArray(type)) return example(full ? type.at(-1)! : type[0]!, name, full)
  if (typeof type === 'object') {
    if (type.type === 'enum') return full ? type.symbols!.at(-1) : type.symbols![0]
    if (type.type === 'record')
      return Object.fromEntries(type.fields!.map(field => [field.name, example(field.type, field.name, full)]))
    if (type.type === 'array') return full ? [1, 2].map(n => example(type.items!, `${name} ${n}`, full)) : []
    return example(type.type, name, full)
  }
  if (type === 'null') return null
  if (type === 'boolean') return full
  if (type === 'string') return full ? `${name} ä 你好 😀 "\\\n` : ''
  if (type === 'bytes') return full ? Buffer.from(`${name}\0\u00ff`, 'latin1') : Buffer.alloc(0)
  if (type === 'long') return full ? LONG - name.length : 0
  if (type === 'int') return full ? -(2 ** 31) : 0
  if (type === 'float' || type === 'double') return full ? -1.5 : 0
  throw new Error(`there is no example of the type ${type}`)
}

/** An event as JSON holds it: bytes are hex. */
export function asJson(event: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(event).map(([name, value]) => [
      name,
      value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
    ]),
  )
}

function fixtureOf(schema: AvroRecord): Fixture {
  const type = avro.Type.forSchema(schema as avro.Schema)
  const examples = [false, true].map(full => {
    const event = Object.fromEntries(schema.fields!.map(({ name, type }) => [name, example(type, name, full)]))
    return { json: asJson(event), avro: type.toBuffer(event).toString('hex') }
  })
  return { name: schema.name!, schema, examples }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const version = process.argv[2] ?? ''
  if (!/^v[1-9]\d*$/.test(version))
    throw new Error(`usage: node scripts/make-fixtures.ts v2; "${version}" is no version`)
  const root = fileURLToPath(new URL('..', import.meta.url))
  const file = `${root}test/fixtures/events/${version}.json`
  // The flag wx fails when the file is there.
  writeFileSync(file, `${JSON.stringify(readSchemas().map(fixtureOf), null, 2)}\n`, { flag: 'wx' })
  execFileSync(`${root}node_modules/.bin/biome`, ['format', '--write', file], { cwd: root })
  console.log(`wrote ${file}`)
}
