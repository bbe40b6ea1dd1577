import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, type Problem, readRecords } from '../kit/api.ts'
import { lasting } from '../kit/faults.ts'
import { type FileAnswer, FORM, fileForm, formBody, jobEnd, partHead, pushFile } from '../kit/forms.ts'
import { until } from '../kit/processes.ts'
import { head, openRaw } from '../kit/raw.ts'
import { removeData, type Service, startService } from '../kit/service.ts'

describe('a form over a socket', () => {
  let service: Service
  beforeAll(async () => {
    service = await startService({ MAX_FILE_BYTES: '5000000', STREAM_IDLE_SECONDS: '3' })
  })
  afterAll(async () => {
    await service?.stop()
    removeData(service)
  })

  const CSV = 'a,b\n1,2\n3,4\n'
  const filesKept = () => readdirSync(join(service.dataDir, 'files')).length
  const post = (body: string | Buffer, headers: Record<string, string> = {}) =>
    call<Problem>(service, '/push/file', { body, headers: { ...FORM, ...headers } })

  async function expectTaken(fileId: string, jobId: string): Promise<void> {
    expect((await jobEnd(service, jobId)).status).toBe('completed')
    expect((await call<{ records_count: number }>(service, `/files/${fileId}`)).body.records_count).toBe(2)
  }

  it('as the fetch of a browser sends it is taken', async () => {
    const form = new FormData()
    form.set('file', new File([CSV], '数据 1.csv', { type: 'text/csv' }))
    form.set('options', '{"dataset":"fetched"}')
    const headers = { authorization: `Bearer ${service.token}` }
    const answer = await fetch(`${service.url}/push/file`, { method: 'POST', headers, body: form })
    const told = (await answer.json()) as FileAnswer
    expect([answer.status, told.filename, told.format]).toEqual([202, '数据 1.csv', 'csv'])
    await expectTaken(told.file_id, told.job_id)
    const { position } = await jobEnd(service, told.job_id)
    expect((await readRecords(service, 'fetched', position)).map(({ data }) => data)).toEqual([
      { a: '1', b: '2' },
      { a: '3', b: '4' },
    ])
  })

  it('that trickles in is taken, in chunks and fields after the file too', async () => {
    const client = await openRaw(service)
    client.write(
      head(service, 'POST /push/file', { 'Content-Type': FORM['content-type'], 'Transfer-Encoding': 'chunked' }),
    )
    const body = formBody({ name: 'file', filename: 'x', value: CSV }, { name: 'format', value: 'csv' })
    for (const byte of body) {
      client.chunk(Buffer.from([byte]))
      await lasting(5)
    }
    client.chunk('')
    const [, text] = await client.untilReceived(/\r\n\r\n(\{"request_id".*\})$/)
    const told = JSON.parse(text!) as FileAnswer
    await expectTaken(told.file_id, told.job_id)
    client.end()
  })

  it('that is silent is cut off, and nothing of it is kept', async () => {
    await until('the files of before to be gone', () => filesKept() === 0)
    const client = await openRaw(service)
    client.write(head(service, 'POST /push/file', { 'Content-Type': FORM['content-type'], 'Content-Length': 10_000 }))
    client.write(partHead({ name: 'file', filename: 'a', value: '' }) + CSV)
    await until('its file to be there', () => filesKept() > 0)
    await client.closed
    await until('its file to be gone', () => filesKept() === 0)
  })

  it('that is left in the middle leaves nothing, and may come again under its key', async () => {
    await until('the files of before to be gone', () => filesKept() === 0)
    const key = { 'Idempotency-Key': 'left' }
    const client = await openRaw(service)
    const headers = { ...key, 'Content-Type': FORM['content-type'], 'Content-Length': 10_000 }
    client.write(head(service, 'POST /push/file', headers))
    client.write(partHead({ name: 'file', filename: 'a.csv', value: '' }) + CSV)
    await until('its file to be there', () => filesKept() > 0)
    expect((await pushFile(service, CSV, { headers: key })).status).toBe(409)
    client.reset()
    const again = await until('it not to be running any more', async () => {
      const answer = await pushFile(service, CSV, { headers: key })
      return answer.status !== 409 && answer
    })
    expect([again.status, again.body.records_count]).toEqual([202, 2])
    await jobEnd(service, again.body.job_id)
    await until('its file to be gone', () => filesKept() === 0)
  })

  it('that is too large is refused, however its length is told', async () => {
    await until('the files of before to be gone', () => filesKept() === 0)
    const large = Buffer.alloc(5_000_001, 'x')
    for (const body of [fileForm(large), fileForm(Buffer.alloc(8_000_000, 'x'))]) {
      const answer = await post(body)
      expect([answer.status, answer.body.error.code]).toEqual([413, 'PAYLOAD_TOO_LARGE'])
      expect(answer.body.error.message).toContain('5000000')
    }
    const client = await openRaw(service)
    client.write(
      head(service, 'POST /push/file', { 'Content-Type': FORM['content-type'], 'Transfer-Encoding': 'chunked' }),
    )
    client.chunk(partHead({ name: 'file', filename: 'a', value: '' }))
    for (let n = 0; n < 60; n++) client.chunk(Buffer.alloc(100_000, 'x'))
    await client.untilReceived(/HTTP\/1.1 413/)
    client.end()
    await until('its file to be gone', () => filesKept() === 0)
  })

  const wrongOptions: [options: string, field: string, message: RegExp][] = [
    ['{"delimiter":', 'options', /not JSON/],
    ['[]', 'options', /JSON object/],
    ['"csv"', 'options', /JSON object/],
    ['null', 'options', /JSON object/],
    ['{"unknown":1}', 'options.unknown', /no such option/],
    ['{"sheet":"x"}', 'options.sheet', /csv has no such option/],
    ['{"delimiter":"ab"}', 'options.delimiter', /one character/],
    ['{"encoding":"klingon"}', 'options.encoding', /utf-8/],
    ['{"header":"yes"}', 'options.header', /boolean/],
    ['{"null_values":"x"}', 'options.null_values', /array/],
    ['{"null_values":[1]}', 'options.null_values.0', /string/],
    ['{"upsert":"no"}', 'options.upsert', /boolean/],
    ['{"id_column":""}', 'options.id_column', /./],
    ['{"id_column":"ID"}', 'options.id_column', /no column ID: it has a, b/],
    ['{"id_column":"id","header":false}', 'options.id_column', /no column id: it has column_1, column_2/],
    ['{"dataset":""}', 'options.dataset', /empty/],
    ['{"dataset":1}', 'options.dataset', /string/],
    [`{"dataset":"${'x'.repeat(201)}"}`, 'options.dataset', /200/],
    ['{"source":"a\\u0000"}', 'options.source', /NUL/],
  ]

  it.each(wrongOptions)('with the options %s is refused and leaves nothing', async (options, field, message) => {
    await until('the files of before to be gone', () => filesKept() === 0)
    const answer = await pushFile(service, CSV, { options, format: 'csv' })
    const { error } = answer.body
    expect([answer.status, error.code, error.details[0]?.field]).toEqual([400, 'VALIDATION_ERROR', field])
    expect(error.details[0]!.message).toMatch(message)
    expect(filesKept()).toBe(0)
  })

  it('that is none, zipped or of no known format is refused', async () => {
    expect((await post('{}', { 'content-type': 'application/json' })).status).toBe(415)
    expect((await post(gzipSync(fileForm(CSV)), { 'content-encoding': 'gzip' })).status).toBe(415)
    const none = await post('x', { 'content-type': 'multipart/form-data' })
    expect([none.status, none.body.error.message]).toEqual([400, expect.stringMatching(/[Bb]oundary/)])
    const two = await post(
      formBody({ name: 'file', filename: 'a', value: 'x' }, { name: 'file', filename: 'b', value: 'x' }),
    )
    expect([two.status, two.body.error.details[0]!.field]).toEqual([400, 'file'])
    for (const how of [{ format: 'xml' }, { filename: 'a.bin' }]) {
      const answer = await pushFile(service, 'x', how)
      expect([answer.status, answer.body.error.details[0]!.field]).toEqual([400, 'format'])
    }
    expect((await pushFile(service, CSV, { format: 'csv' })).status).toBe(202)
  })
})
