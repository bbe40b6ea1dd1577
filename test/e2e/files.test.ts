import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Answer, call, pushBatch, readRecords } from '../kit/api.ts'
import { type FileAnswer, type FileOptions, type JobAnswer, jobEnd, pushFile } from '../kit/forms.ts'
import { removeData, type Service, startService } from '../kit/service.ts'

let service: Service
beforeAll(async () => {
  service = await startService()
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

const fixture = (name: string) => readFileSync(new URL(`../fixtures/files/${name}`, import.meta.url))
const fixtureRows = (name: string) => fixture(`${name}.rows`).toString().trim().split('\n')

interface FileState {
  file_id: string
  job_id: string
  status: string
  records_count: number
  records_processed: number
  records_rejected: number
  progress: number
  filename: string
  size_bytes: number
  format: string
  dataset: string
  error: { code: string; message: string } | null
}

interface Refused {
  id: string
  code: string
  field: string | null
  value: string | null
  line: number
  stage: string
  job_id: string
  status: string
  record_id: string | null
  original: string
  original_encoding: string
}

let datasets = 0
/** Pushes a file into a data set of its own and waits until it is imported. */
async function imported(file: string | Buffer, how: FileOptions & { options?: object } = {}) {
  const dataset = `files-${++datasets}`
  const answer = await pushFile(service, file, { ...how, options: { dataset, ...how.options } })
  if (answer.status !== 202) throw new Error(`${answer.status} ${answer.text}`)
  const job = await jobEnd(service, answer.body.job_id)
  const path = `/files/${answer.body.file_id}?min_position=${job.position}`
  const { body: state } = await call<FileState>(service, path)
  const refused = (await call<{ items: Refused[] }>(service, `/rejected?job_id=${job.id}&limit=1000`)).body.items
  return { dataset, answer: answer.body, job, state, refused }
}

/** Each record's id, and its data as the JSON text that it is. */
async function texts(dataset: string, position: string): Promise<[id: string, data: string][]> {
  const { text } = await call(service, `/datasets/${dataset}/records?limit=1000&min_position=${position}`)
  const found = [...text.matchAll(/\{"id":("(?:[^"\\]|\\.)*"),"data":(.*?),"version":1,"updated_at"/g)]
  return found.map(([, id, data]) => [JSON.parse(id!), data!])
}

describe('a file', () => {
  const csvFile = 'name,n\r\n"a ""b""\r\nc",1\r\n,0.10\r\né,\r\n'
  const jsonRows = ['{"n": 9007199254740993, "x": 1.0}', '{"n": 0.10, "tags": ["é\\u00e9", {"y": null}]}', '{}']
  const good: [name: string, file: string | Buffer, how: FileOptions, format: string, rows: string[]][] = [
    [
      'csv',
      csvFile,
      { filename: 'a.csv' },
      'csv',
      ['{"name":"a \\"b\\"\\r\\nc","n":"1"}', '{"name":"","n":"0.10"}', '{"name":"é","n":""}'],
    ],
    ['a json array', `[${jsonRows}]`, { filename: 'a.json' }, 'json', jsonRows],
    ['NDJSON', jsonRows.join('\n'), { filename: 'a' }, 'json', jsonRows],
    ['json inside', `{"a/b":{"items":[${jsonRows}]}}`, { options: { data_path: '/a~1b/items' } }, 'json', jsonRows],
    ['parquet', fixture('parquet-none.parquet'), {}, 'parquet', fixtureRows('parquet-none.parquet')],
    [
      'tab-separated GBK without a header',
      fixture('csv-python-gbk.csv'),
      { format: 'csv' },
      'csv',
      fixtureRows('csv-python-gbk.csv'),
    ],
    ['csv that is empty but for its header', 'a,b\n', { format: 'csv' }, 'csv', []],
    ['json without a row', '[]', { format: 'json' }, 'json', []],
    ['json without a byte', '', { format: 'json' }, 'json', []],
  ]

  it.each(good)('of %s comes in whole, exact and in order', async (_name, file, how, format, rows) => {
    const { dataset, answer, job, state, refused } = await imported(file, how as FileOptions & { options?: object })
    expect(answer).toMatchObject({
      format,
      records_count: rows.length,
      status: 'processing',
      size_bytes: Buffer.byteLength(file),
    })
    expect(answer.file_id).toMatch(/^file_/)
    expect(answer.job_id).toMatch(/^job_/)
    expect(job).toMatchObject({ status: 'completed', progress: 100, records_processed: rows.length, error: null })
    expect(job).toMatchObject({ records_total: rows.length, records_rejected: 0 })
    expect(job).toMatchObject({ connector_type: 'file', name: answer.filename })
    expect(state).toEqual({
      ...{
        file_id: answer.file_id,
        job_id: answer.job_id,
        filename: answer.filename,
        size_bytes: Buffer.byteLength(file),
      },
      ...{ format, records_count: rows.length, status: 'completed', dataset, progress: 100 },
      ...{ records_processed: rows.length, records_total: job.records_total, records_rejected: 0, error: null },
      position: job.position,
    })
    expect(refused).toEqual([])
    const found = rows.length > 0 ? await texts(dataset, job.position) : []
    // Tools that are not ours wrote what parquet's rows are compared with: 24.0 for what we call 24.
    const shown = (data: string) => (format === 'parquet' ? JSON.parse(data) : data)
    expect(found.map(([, data]) => shown(data))).toEqual(rows.map(shown))
    expect(found.map(([id]) => id)).toEqual(rows.map((_, n) => `${answer.file_id}-${String(n + 1).padStart(12, '0')}`))
  })

  it('of which some rows are bad comes in without them, and each is told of', async () => {
    const file = Buffer.concat(['id,n\n1,1\n2\n3,', Buffer.from([0xff]), '\n4,"x"y\n5,5\n,6\n'].map(Buffer.from))
    const { dataset, answer, job, state, refused } = await imported(file, {
      options: { id_column: 'id', encoding: 'utf-8' },
    })
    expect(answer.records_count).toBe(6)
    expect(job).toMatchObject({ status: 'completed', records_processed: 6, records_rejected: 4, records_total: 6 })
    expect(state).toMatchObject({ status: 'completed', records_rejected: 4 })
    expect(await texts(dataset, job.position)).toEqual([
      ['1', '{"id":"1","n":"1"}'],
      ['5', '{"id":"5","n":"5"}'],
    ])
    const told = refused.map(({ line, code, field, value, original }) => [line, code, field, value, original])
    expect(told.sort()).toEqual([
      [2, 'RAGGED_ROW', null, null, '2'],
      [3, 'INVALID_ENCODING', 'n', '\ufffd', 'Myz/'],
      [4, 'INVALID_QUOTES', 'n', null, '4,"x"y'],
      [6, 'MISSING_FIELD', 'id', '""', ',6'],
    ])
    for (const each of refused) expect(each).toMatchObject({ job_id: job.id, stage: 'parse', status: 'open' })
    expect(refused.find(({ line }) => line === 3)!.original_encoding).toBe('base64')
  })

  it.each<[string, string | Buffer, string, number, RegExp]>([
    ['csv', 'a,b\n1,2\n3,4\n"5,6\n', 'csv', 2, /quote that opens in line 4 is never closed/],
    ['json', '[{"a":1},{"a":2},{"a":', 'json', 2, /in row 3/],
    ['json with something behind it', '[{"a":1}] x', 'json', 1, /./],
  ])('of %s that is damaged comes in up to there, and the job says where', async (_name, file, format, rows, why) => {
    const { dataset, answer, job, state } = await imported(file, { format })
    expect(answer.records_count).toBe(rows)
    expect(job).toMatchObject({ status: 'failed', records_processed: rows, error: { code: 'VALIDATION_ERROR' } })
    expect(state).toMatchObject({ status: 'failed', error: { message: expect.stringMatching(why) } })
    expect(await texts(dataset, job.position)).toHaveLength(rows)
    const { logs } = (await call<Logs>(service, `/jobs/${job.id}/logs?level=error`)).body
    expect(logs).toMatchObject([{ level: 'error', metadata: { message: state.error!.message, processed: rows } }])
  })

  it.each<[string, string | Buffer, FileOptions, string]>([
    ['csv', 'a,"b', { format: 'csv' }, 'file'],
    ['json', '<html>', { format: 'json' }, 'file'],
    ['json in UTF-16', Buffer.from('[{}]', 'utf16le'), { format: 'json' }, 'file'],
    ['parquet', fixture('parquet-none.parquet').subarray(0, -8), { format: 'parquet' }, 'file'],
    ['parquet', 'PAR1PAR1', {}, 'file'],
    ['json without what the path leads to', '{"a":[{}]}', { options: { data_path: '/b' } }, 'options.data_path'],
  ])('of %s of which nothing can be read is refused', async (_name, file, how, field) => {
    const answer = await pushFile(service, file, how)
    expect([answer.status, answer.body.error?.code, answer.body.error?.details[0]?.field]).toEqual([
      400,
      'VALIDATION_ERROR',
      field,
    ])
  })

  it('gets ids from a column: text, numbers as they stand, the last row of an id wins', async () => {
    const file = '{"k":"a","n":1}\n{"k":1.50,"n":2}\n{"k":"a","n":3}\n{"k":null}\n{"k":true}\n{"n":1}\n{"k":{}}\n'
    const { dataset, job, refused } = await imported(file, { options: { id_column: 'k' } })
    const records = await readRecords(service, dataset, job.position)
    expect(records.map(({ id, data, version }) => [id, data.n, version])).toEqual([
      ['1.50', 2, 1],
      ['a', 3, 2],
    ])
    expect(refused.map(({ code, field, line }) => [line, code, field]).sort()).toEqual(
      [4, 5, 6, 7].map(line => [line, 'MISSING_FIELD', 'k']),
    )
    const long = await imported(`[{"k":"${'x'.repeat(513)}"},{"k":"a\\u0000"},{"k":"\\ud800"},{"k":"b"}]`, {
      options: { id_column: 'k' },
    })
    expect(long.refused.map(({ code, field }) => [code, field])).toEqual(Array(3).fill(['INVALID_FIELD', 'id']))
    expect((await texts(long.dataset, long.job.position)).map(([id]) => id)).toEqual(['b'])
  })

  it('that comes again is a file of its own; with an id_column its rows are the same records', async () => {
    const file = 'id,n\n1,1\n2,2\n'
    const one = await imported(file, { options: { dataset: 'again', id_column: 'id' } })
    const two = await imported(file, { options: { dataset: 'again', id_column: 'id' } })
    expect(two.answer.file_id).not.toBe(one.answer.file_id)
    const records = await readRecords(service, 'again', two.job.position)
    expect(records.map(({ id, version }) => [id, version])).toEqual([
      ['1', 1],
      ['2', 1],
    ])
  })

  it('names its data set in options, else in the query, else as its source, else as who pushes', async () => {
    const dataset = async (options: object | undefined, query: string) => {
      const { body } = await pushFile(service, '[{"a":1}]', { ...(options ? { options } : {}), query })
      const job = await jobEnd(service, body.job_id)
      return (await call<FileState>(service, `/files/${body.file_id}?min_position=${job.position}`)).body.dataset
    }
    expect(await dataset({ dataset: 'one', source: 's' }, '?dataset=two')).toBe('one')
    expect(await dataset({ source: 's' }, '?dataset=two')).toBe('two')
    expect(await dataset({ source: 's' }, '')).toBe('s')
    expect(await dataset(undefined, '')).toBe(await dataset({}, ''))
  })

  it('with upsert: false leaves records alone that are there already', async () => {
    await pushBatch(service, 'kept', [{ id: '1', data: { n: 'old' } }])
    const { job } = await imported('id,n\n1,new\n2,new\n', {
      options: { dataset: 'kept', id_column: 'id', upsert: false },
    })
    expect(job.status).toBe('completed')
    const records = await readRecords(service, 'kept', job.position)
    expect(records.map(({ id, data }) => [id, data.n])).toEqual([
      ['1', 'old'],
      ['2', 'new'],
    ])
  })

  it('that is unknown is 404', async () => {
    for (const id of ['file_0', 'job_0', 'x', 'file_'])
      expect((await call(service, `/files/${id}`)).body.error.code).toBe('NOT_FOUND')
  })
})

interface Logs {
  logs: { timestamp: string; level: string; message: string; metadata: object; run_id: string }[]
}

describe('a file under an Idempotency-Key', () => {
  const push = (key: string, file: string, how: FileOptions = {}): Promise<Answer<FileAnswer>> =>
    pushFile(service, file, { ...how, headers: { 'idempotency-key': key } })

  it('that comes twice is answered the same and imported once', async () => {
    const how = { options: { dataset: 'key-twice', id_column: 'id' } }
    const first = await push('twice', 'id,n\n1,1\n', how)
    const again = await push('twice', 'id,n\n1,1\n', how)
    expect([again.status, again.text]).toEqual([202, first.text])
    expect([first, again].map(({ headers }) => headers.get('idempotency-replayed'))).toEqual([null, 'true'])
    await jobEnd(service, first.body.job_id)
    const { total } = (await call<{ total: number }>(service, '/jobs?connector_type=file&per_page=1')).body
    await push('twice', 'id,n\n1,1\n', how)
    expect((await call<{ total: number }>(service, '/jobs?connector_type=file&per_page=1')).body.total).toBe(total)
  })

  it('with anything else is 422', async () => {
    const how = { options: { dataset: 'key-other' } }
    expect((await push('other', 'a,b\n1,2\n', how)).status).toBe(202)
    for (const answer of [
      await push('other', 'a,b\n1,3\n', how),
      await push('other', 'a,b\n1,2\n', { options: { dataset: 'key-others' } }),
      await push('other', 'a,b\n1,2\n', { ...how, filename: 'other.csv' }),
      await push('other', 'a,b\n1,2\n', { ...how, format: 'csv' }),
      await push('other', 'a,b\n1,2\n', { ...how, query: '?dataset=x' }),
    ])
      expect([answer.status, answer.body.error.code]).toEqual([422, 'UNPROCESSABLE'])
  })

  it('that is refused is refused the same again', async () => {
    const first = await push('bad', '<html>', { format: 'json' })
    const again = await push('bad', '<html>', { format: 'json' })
    expect([first.status, again.status, again.text]).toEqual([400, 400, first.text])
  })

  it('that comes many times at once is imported once', async () => {
    const file = `id,n\n${Array.from({ length: 2000 }, (_, n) => `${n},x\n`).join('')}`
    const how = { options: { dataset: 'key-at-once', id_column: 'id' } }
    const answers = await Promise.all(Array.from({ length: 8 }, () => push('at-once', file, how)))
    const taken = answers.filter(({ status }) => status === 202)
    expect(new Set(taken.map(({ text }) => text)).size).toBe(1)
    for (const { status, body } of answers.filter(answer => !taken.includes(answer)))
      expect([status, body.error.code]).toEqual([409, 'CONFLICT'])
    const job: JobAnswer = await jobEnd(service, taken[0]!.body.job_id)
    expect(await readRecords(service, 'key-at-once', job.position)).toHaveLength(2000)
    expect(new Set((await readRecords(service, 'key-at-once', job.position)).map(({ version }) => version))).toEqual(
      new Set([1]),
    )
  })
})
