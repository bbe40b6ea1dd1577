/** Writes the GraphQL schema to docs/schema.graphql; a test compares. `npm run generate` runs it. */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { shownSchema } from '../src/edge/graphql/schema.ts'

writeFileSync(fileURLToPath(new URL('../docs/schema.graphql', import.meta.url)), shownSchema())
