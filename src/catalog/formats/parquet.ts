import { z } from 'zod'
import { defineFormat } from './format.ts'
import { examples } from './parquet/examples.ts'
import { reader } from './parquet/reader.ts'

const options = z.strictObject({})

/** Apache Parquet. */
export const parquet = defineFormat({
  name: 'parquet',
  summary: 'Apache Parquet in any common compression. Numbers and decimals exact, times in RFC 3339, binary in base64.',
  extensions: ['.parquet', '.pq', '.parq'],
  options,
  examples,
  recognises: head => head.toString('latin1', 0, 4) === 'PAR1' || head.toString('latin1', 0, 4) === 'PARE',
  ...reader,
})
