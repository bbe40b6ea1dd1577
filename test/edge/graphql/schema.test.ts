import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { buildSchema, isInterfaceType, isObjectType } from 'graphql'
import { expect, it } from 'vitest'
import { shownSchema } from '../../../src/edge/graphql/schema.ts'

const docs = fileURLToPath(new URL('../../../docs/schema.graphql', import.meta.url))

it('is in docs as it is: node scripts/graphql-schema.ts writes it there', () => {
  expect(readFileSync(docs, 'utf8')).toBe(shownSchema())
})

it('says what every type, field and argument is for', () => {
  const types = Object.values(buildSchema(shownSchema()).getTypeMap()).filter(type => !type.name.startsWith('__'))
  const silent = types.flatMap(type => {
    const fields = isObjectType(type) || isInterfaceType(type) ? Object.values(type.getFields()) : []
    const args = fields.flatMap(field => field.args.map(arg => ({ ...arg, name: `${field.name}(${arg.name})` })))
    const parts = [...fields, ...args].map(each => ({ ...each, name: `${type.name}.${each.name}` }))
    return [type, ...parts].filter(({ description, name }) => !description && !SPECIFIED.includes(name))
  })
  expect(silent.map(({ name }) => name)).toEqual([])
})

/** The types that GraphQL itself describes. */
const SPECIFIED = ['String', 'Int', 'Float', 'Boolean', 'ID']
