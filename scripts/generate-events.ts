/**
 * Writes src/events/index.ts from schemas/*.avsc: one interface for each record, the schemas themselves, and the topic
 * that topics/*.yaml gives each record.
 * `npm run generate` runs it; a test runs `render` and compares, so the file is never stale.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { readTopics } from '../src/adapters.ts'

type Avro = string | Avro[] | AvroObject
interface AvroObject {
  type: Avro
  name?: string
  namespace?: string
  doc?: string
  symbols?: string[]
  items?: Avro
  fields?: { name: string; type: Avro; doc?: string; default?: unknown }[]
}

const root = fileURLToPath(new URL('..', import.meta.url))

const PRIMITIVES: Record<string, string> = {
  null: 'null',
  boolean: 'boolean',
  int: 'number',
  long: 'number',
  float: 'number',
  double: 'number',
  string: 'string',
  bytes: 'Uint8Array',
}

function typeOf(type: Avro): string {
  if (typeof type === 'string') {
    const known = PRIMITIVES[type]
    if (known === undefined) throw new Error(`schemas/: the type ${type} is not one that the generator knows`)
    return known
  }
  if (Array.isArray(type)) return type.map(typeOf).join(' | ')
  if (type.type === 'enum') return type.symbols!.map(symbol => `'${symbol}'`).join(' | ')
  if (type.type === 'array') return `readonly (${typeOf(type.items!)})[]`
  if (type.type === 'record')
    return `{ ${type.fields!.map(({ name, type }) => `${name}: ${typeOf(type)}`).join('; ')} }`
  return typeOf(type.type)
}

function checked(record: AvroObject, file: string): AvroObject {
  const missing = [record, ...record.fields!].find(part => !part.doc)
  if (missing) throw new Error(`schemas/${file}: ${record.name}: ${missing.name} has no doc`)
  return record
}

/** The records of all schema files, in the order of the files' names. */
export function readSchemas(): AvroObject[] {
  return readdirSync(`${root}schemas`)
    .filter(file => file.endsWith('.avsc'))
    .sort()
    .flatMap(file => {
      const parsed: AvroObject | AvroObject[] = JSON.parse(readFileSync(`${root}schemas/${file}`, 'utf8'))
      return [parsed].flat().map(record => checked(record, file))
    })
}

/** The text of src/events/index.ts. */
export function render(records: AvroObject[], topics = readTopics()): string {
  const lines = ['// Generated from schemas/ by `npm run generate`. Do not edit.', '']
  for (const record of records) {
    lines.push(`/** ${record.doc} */`, `export interface ${record.name} {`)
    for (const field of record.fields!) lines.push(`  /** ${field.doc} */`, `  ${field.name}: ${typeOf(field.type)}`)
    lines.push('}', '')
  }
  lines.push('/** Every event by the name of its record. */', 'export interface Events {')
  for (const record of records) lines.push(`  ${record.name}: ${record.name}`)
  lines.push('}', '', '/** The schemas as they stand in schemas/, by the name of the record. */')
  lines.push('export const schemas: { readonly [Name in keyof Events]: object } = {')
  for (const record of records) lines.push(`  ${record.name}: ${JSON.stringify(record)},`)
  lines.push('}', '', '/** The topic that each record travels on, as topics/ has it. */')
  lines.push('export const topicOf: { readonly [Name in keyof Events]: string } = {')
  for (const { name } of records) {
    const topic = topics.find(each => each.records.includes(name!))
    if (topic) lines.push(`  ${name}: '${topic.name}',`)
  }
  lines.push('}', '')
  return lines.join('\n')
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(`${root}src/events/index.ts`, render(readSchemas()))
}
