import { open } from 'node:fs/promises'
import { extname } from 'node:path'
import { invalid } from '../kernel/errors.ts'
import { createApi } from './client.ts'
import { command } from './command.ts'
import { FORMATS, OPTIONS, type Options, requireFile, requireFitting } from './push/options.ts'
import { stopOnSignal } from './push/stop.ts'
import { pushLines } from './push/stream.ts'
import { upload } from './push/upload.ts'

const LINES = ['.ndjson', '.jsonl']

export const push = command({
  name: 'push',
  summary: 'pushes a file, or what comes on stdin as NDJSON',
  operands: ['FILE|-'],
  options: OPTIONS,
  about: `NDJSON, a record {"id": …, "data": {…}} a line, goes through POST /push/stream, of any length in constant memory, in
requests of so many bytes. csv, json, parquet and excel files are uploaded, and it waits until their rows are imported.

A connection that is cut, or a service that restarts, is waited for, a minute at most. Lines that the service has said are
in are not sent again, and each request has an Idempotency-Key, so that one whose answer was lost is not taken twice. Lines
that the service took in before it was cut off, and could not say so, come again: a row is the same afterwards unless a later
line, or somebody else, had changed it in between. Ctrl-C ends it after the request that is under way, and says how to go on;
a second one ends it at once.

Prints one line of JSON: how many rows were accepted and refused, and the position that has all of them. The first rows that
were refused are told on stderr; all of them are kept, see GET /rejected.`,
  examples: [
    { about: 'a file of any size', line: 'superinsight-sync push orders.ndjson --dataset orders' },
    { about: 'what another program says, as it says it', line: 'superinsight-sync push - --dataset clicks' },
    {
      about: 'a table, whose column sku is the id',
      line: 'superinsight-sync push products.csv --dataset products --id-column sku',
    },
  ],
  exits: {
    0: 'everything is in',
    1: 'some rows were refused, and the others are in; or it broke off, which says how far it has come',
  },
  async run({ config, options, operands }) {
    const file = operands[0]!
    const api = createApi(config)
    const stop = stopOnSignal()
    try {
      const format = await formatOf(file, options)
      requireFitting(options, format === 'ndjson')
      const { signal } = stop
      return format === 'ndjson'
        ? await pushLines(api, file, options, signal)
        : await upload(api, file, options, signal)
    } finally {
      stop.end()
    }
  },
})

/** Lines, or a file that is uploaded: as it is said, or by the name, or by how it begins. */
async function formatOf(file: string, { format }: Options): Promise<string | undefined> {
  if (format !== undefined && !FORMATS.includes(format))
    throw invalid('--format', `"${format.slice(0, 40)}" is none of ${FORMATS.join(', ')}`)
  if (file === '-' && format !== undefined && format !== 'ndjson')
    throw invalid('--format', `only ndjson comes on stdin: ${format} needs a file`)
  if (file === '-' || format !== undefined) return format ?? 'ndjson'
  requireFile(file)
  const extension = extname(file).toLowerCase()
  if (LINES.includes(extension)) return 'ndjson'
  if (extension !== '') return undefined
  const handle = await open(file)
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(64), 0, 64).finally(() => handle.close())
  return buffer.toString('utf8', 0, bytesRead).trimStart().startsWith('{') ? 'ndjson' : undefined
}
