import { afterAll, beforeAll, expect, it } from 'vitest'
import { call, readRecords } from '../kit/api.ts'
import { jobEnd, pushFile } from '../kit/forms.ts'
import { removeData, type Service, startService } from '../kit/service.ts'

let service: Service
beforeAll(async () => {
  service = await startService()
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

const SCHEMA = { type: 'object', properties: { n: { type: 'integer', minimum: 1 } }, required: ['n'] }
const TRANSFORMATIONS = [
  { type: 'filter', config: { where: { skip: { ne: 'yes' } } } },
  { type: 'rename', config: { fields: { m: 'n' } } },
]
const FILE = '{"id":"a","m":1}\n{"id":"b","m":0}\n{"id":"c","m":2,"skip":"yes"}\n{"id":"d"}\n'

const configure = async (dataset: string, body: object) => {
  const { status, text } = await call(service, `/datasets/${dataset}`, { method: 'PUT', body })
  if (status !== 200) throw new Error(`${status} ${text}`)
}

interface Refused {
  stage: string
  code: string
  field: string
  record_id: string
  line: number
}

/** What a file leaves in a data set, and what it is refused. */
async function imported(dataset: string, options: object, file = FILE, format = 'json') {
  const { body, text } = await pushFile(service, file, { format, options: { dataset, id_column: 'id', ...options } })
  const job = await jobEnd(service, body.job_id)
  const records = job.status === 'completed' ? await readRecords(service, dataset, job.position) : []
  const path = `/rejected?job_id=${job.id}&min_position=${job.position}`
  const refused = (await call<{ items: Refused[] }>(service, path)).body.items
  return {
    job,
    text,
    records: records.map(({ id, data }) => [id, data]),
    refused: refused.map(({ stage, code, field, record_id, line }) => [stage, code, field, record_id, line]),
  }
}

it('rows are transformed and validated as their data set says, each one or not as the options say', async () => {
  const both = { schema: SCHEMA, transformations: TRANSFORMATIONS, schema_contract: 'discard_row' }
  for (const name of ['both', 'unjudged', 'as they are', 'judged']) await configure(name, both)
  const all = await imported('both', {})
  expect(all.records).toEqual([['a', { id: 'a', n: 1 }]])
  expect(all.refused.sort()).toEqual([
    ['validate', expect.any(String), '/n', 'b', 2],
    ['validate', expect.any(String), '/n', 'd', 4],
  ])
  expect(all.job).toMatchObject({ records_processed: 4, records_rejected: 2, records_total: 4, progress: 100 })
  const unjudged = await imported('unjudged', { validate: false })
  expect(unjudged.records).toEqual([
    ['a', { id: 'a', n: 1 }],
    ['b', { id: 'b', n: 0 }],
    ['d', { id: 'd' }],
  ])
  const plain = await imported('as they are', { validate: false, transform: false })
  expect(plain.records).toHaveLength(4)
  expect(plain.records[0]).toEqual(['a', { id: 'a', m: 1 }])
  const judged = await imported('judged', { transform: false })
  expect([judged.records, judged.refused.length]).toEqual([[], 4])
})

it('the next file goes by what was set a moment before', async () => {
  for (let n = 1; n <= 6; n++) {
    await configure('moment', { transformations: [{ type: 'default', config: { values: { round: n } } }] })
    const { records } = await imported('moment', {}, `{"id":"${n}"}`)
    expect(records.find(([id]) => id === String(n))).toEqual([String(n), { id: String(n), round: n }])
  }
})

it('text of csv is read as the schema has its columns', async () => {
  await configure('typed', { schema: SCHEMA, schema_contract: 'discard_row' })
  const { records, refused } = await imported('typed', {}, 'id,n\na,1\nb,x\nc,0\n', 'csv')
  expect(records).toEqual([['a', { id: 'a', n: 1 }]])
  expect(refused.map(([, , field, id]) => [field, id]).sort()).toEqual([
    ['/n', 'b'],
    ['/n', 'c'],
  ])
})

it('a file that a frozen schema refuses fails, naming the row', async () => {
  await configure('frozen', { schema: SCHEMA, schema_contract: 'freeze' })
  const { job } = await imported('frozen', {}, '{"id":"a","n":1}\n{"id":"b","n":0}\n')
  expect(job).toMatchObject({ status: 'failed', error: { code: 'VALIDATION_ERROR' } })
  expect(await readRecords(service, 'frozen', job.position)).toEqual([])
})

it('a refused row of a csv is kept as the file has it, and can be sent again as it was read', async () => {
  for (const encoding of ['utf-8', 'gb18030'] as const) {
    const dataset = `lines in ${encoding}`
    await configure(dataset, { schema: SCHEMA, schema_contract: 'discard_row' })
    const name = encoding === 'utf-8' ? Buffer.from('李雷') : Buffer.from([0xc0, 0xee, 0xc0, 0xd7])
    const line = Buffer.concat([Buffer.from('b, 0 ,"'), name, Buffer.from(', twice\nover"')])
    const file = Buffer.concat([Buffer.from('id,n,name\r\na,1,x\r\n'), line, Buffer.from('\r\nc,2,y\r\n')])
    const { body } = await pushFile(service, file, { format: 'csv', options: { dataset, id_column: 'id', encoding } })
    const job = await jobEnd(service, body.job_id)
    expect(job).toMatchObject({ status: 'completed', records_processed: 3, records_rejected: 1 })
    const path = `/rejected?job_id=${job.id}&min_position=${job.position}`
    type Item = { id: string; original: string; original_encoding: 'utf8' | 'base64' }
    const [item] = (await call<{ items: Item[] }>(service, path)).body.items
    expect(Buffer.from(item!.original, item!.original_encoding)).toEqual(line)
    expect((await call(service, `/rejected/${item!.id}/replay`, { method: 'POST' })).status).toBe(400)
    const lenient = { type: 'object', properties: { n: { type: 'string' } } }
    await configure(dataset, { schema: lenient })
    const sent = await call<{ position: string }>(service, `/rejected/${item!.id}/replay`, { method: 'POST' })
    expect(sent.status).toBe(200)
    const records = await readRecords(service, dataset, sent.body.position)
    expect(records.map(({ data }) => data)).toContainEqual({ id: 'b', n: ' 0 ', name: '李雷, twice\nover' })
  }
})
