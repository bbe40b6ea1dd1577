import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, readRecords } from '../kit/api.ts'
import { type FileOptions, jobEnd, pushFile } from '../kit/forms.ts'
import { int32s, levels, page, parquetFile } from '../kit/parquet.ts'
import { removeData, type Service, startService } from '../kit/service.ts'
import { workbook } from '../kit/xlsx.ts'

/*
 * Files that are wrong on purpose, through the whole service. Whatever they are: an answer that says what is wrong, the
 * rows before the damage kept, an edge that answers others meanwhile, and memory that stays bounded.
 */

const MB = 1024 * 1024
/** What the process may take while a file of hundreds of megabytes goes through it. */
const MOST_MB = 500

let service: Service
beforeAll(async () => {
  service = await startService({ MAX_FILE_INFLATED_BYTES: String(64 * MB) })
})
afterAll(async () => {
  await service?.stop()
  removeData(service)
})

const FLIGHTS = readFileSync(new URL('../../node_modules/vega-datasets/data/flights-3m.parquet', import.meta.url))

/** Asks for something small again and again until `work` is done; gives back how often it was answered. */
async function whileAsking<T>(work: Promise<T>): Promise<{ result: T; answers: number; longestMs: number }> {
  let [done, answers, longestMs] = [false, 0, 0]
  const asking = (async () => {
    while (!done) {
      const began = performance.now()
      expect((await call(service, '/jobs?limit=1')).status).toBe(200)
      answers++
      longestMs = Math.max(longestMs, performance.now() - began)
    }
  })()
  const result = await work.finally(() => {
    done = true
  })
  await asking
  return { result, answers, longestMs }
}

let datasets = 0
async function imported(file: Buffer | string, how: FileOptions & { options?: object }) {
  const dataset = `damage-${++datasets}`
  const work = async () => {
    const answer = await pushFile(service, file, { ...how, options: { dataset, ...how.options } })
    const job = answer.status === 202 ? await jobEnd(service, answer.body.job_id, 120_000) : undefined
    return { answer, job }
  }
  const { result, answers, longestMs } = await whileAsking(work())
  console.log(`${expect.getState().currentTestName}: others waited ${Math.round(longestMs)} ms at most`)
  expect(answers).toBeGreaterThan(0)
  expect(service.peakMb()).toBeLessThan(MOST_MB)
  return { ...result, dataset }
}

async function refusedOf(jobId: string) {
  interface Refused {
    code: string
    line: number
    original: string
  }
  return (await call<{ items: Refused[] }>(service, `/rejected?job_id=${jobId}&limit=1000`)).body.items
}

describe('a csv', () => {
  it('with a cell of 300 MB comes in without that row', async () => {
    const file = Buffer.concat([
      Buffer.from('id,text\n1,first\n2,"'),
      Buffer.alloc(300 * MB, 'x'),
      Buffer.from('"\n3,last\n'),
    ])
    const { job, dataset, answer } = await imported(file, {})
    expect(answer.body.records_count).toBe(3)
    expect(job).toMatchObject({ status: 'completed', records_processed: 3, records_rejected: 1 })
    expect(await refusedOf(job!.id)).toMatchObject([{ code: 'TOO_LONG', line: 2 }])
    const records = await readRecords(service, dataset, job!.position)
    expect(records.map(({ data }) => data)).toEqual([
      { id: '1', text: 'first' },
      { id: '3', text: 'last' },
    ])
  })

  it('with NUL bytes and ragged rows keeps the good ones', async () => {
    const { job, dataset } = await imported('id,text\n1,a\0b\n2\n3,c,d\n4,e\n', {})
    expect(job).toMatchObject({ status: 'completed', records_rejected: 2 })
    expect((await refusedOf(job!.id)).map(({ code, line, original }) => [code, line, original]).sort()).toEqual([
      ['RAGGED_ROW', 2, '2'],
      ['RAGGED_ROW', 3, '3,c,d'],
    ])
    const records = await readRecords(service, dataset, job!.position)
    // JSON escapes a NUL: it comes back as it was.
    expect(records.map(({ data }) => data.text)).toEqual(['a\0b', 'e'])
  })

  it('in another encoding than it was said to be refuses the rows that mean nothing in it', async () => {
    const gbk = Buffer.concat([Buffer.from('id,text\n1,plain\n2,'), Buffer.from([0xc4, 0xe3]), Buffer.from('\n')])
    const { job, dataset } = await imported(gbk, { options: { encoding: 'utf-8' } })
    expect(job).toMatchObject({ status: 'completed', records_rejected: 1 })
    expect(await refusedOf(job!.id)).toMatchObject([{ code: 'INVALID_ENCODING', line: 2 }])
    expect(await readRecords(service, dataset, job!.position)).toHaveLength(1)
  })
})

describe('a workbook', () => {
  it.each([
    ['says so', undefined, 'says that it inflates from'],
    ['says otherwise', { size: 4000 }, 'the 4000 bytes it claims'],
  ])('that is a bomb and %s is refused', async (_, claims, message) => {
    const head = '<worksheet><sheetData><row><c t="inlineStr"><is><t>name</t></is></c></row>'
    const bytes = Buffer.concat([
      Buffer.from(head),
      Buffer.alloc(120 * MB, ' '),
      Buffer.from('</sheetData></worksheet>'),
    ])
    const file = workbook({ rows: { bytes, ...(claims && { claims }) } })
    expect(file.length).toBeLessThan(MB / 4)
    const { answer } = await imported(file, { filename: 'bomb.xlsx' })
    expect(answer.status).toBe(400)
    expect(answer.body.error?.message).toContain(message)
  })

  it('with external entities is refused, and tells nothing of what they name', async () => {
    const doctype = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
    const bytes = `${doctype}<worksheet><sheetData><row><c t="inlineStr"><is><t>&e;</t></is></c></row></sheetData></worksheet>`
    const { answer } = await imported(workbook({ rows: { bytes } }), { filename: 'entity.xlsx' })
    expect(answer.status).toBe(400)
    expect(answer.body.error?.message).toContain('document type')
    expect(answer.text).not.toContain('root:')
  })
})

describe('a parquet', () => {
  it('that is cut off is refused', async () => {
    const { answer } = await imported(FLIGHTS.subarray(0, FLIGHTS.length - 100_000), { filename: 'cut.parquet' })
    expect(answer.status).toBe(400)
    expect(answer.body.error?.details[0]).toMatchObject({ field: 'file' })
  })

  it('whose footer lies is refused', async () => {
    const pages = page({ body: int32s(7, 8, 9), values: 3 })
    for (const lie of [{ fileRows: 2n ** 40n }, { footerLength: 4_000_000_000 }, { chunk: { 7: 2n ** 40n } }]) {
      const { answer } = await imported(parquetFile({ pages, rows: 3, ...lie }), { filename: 'lie.parquet' })
      expect(answer.status).toBe(400)
      expect(answer.body.error?.message).toMatch(/claims/)
    }
  })

  it('that is damaged after good pages keeps their rows, and the job says where it stopped', async () => {
    const good = page({ body: int32s(7, 8, 9), values: 3 })
    const bad = page({ body: int32s(1, 2, 3), values: 3, crc: 1 })
    const file = parquetFile({ pages: Buffer.concat([good, bad]), rows: 6, element: { 1: 1, 3: 0, 4: 'n' } })
    const { job, dataset } = await imported(file, { filename: 'half.parquet' })
    expect(job).toMatchObject({ status: 'failed', records_processed: 3 })
    expect(job!.error!.message).toMatch(/in row 4/)
    expect(await readRecords(service, dataset, job!.position)).toHaveLength(3)
  })

  it('of a few bytes that has a thousand million rows is refused', async () => {
    const many = 1_000_000_000
    const file = parquetFile({ pages: page({ body: levels(many, 0), values: many }), rows: many })
    expect(file.length).toBeLessThan(200)
    const { answer } = await imported(file, { filename: 'grows.parquet' })
    expect(answer.status).toBe(400)
    expect(answer.body.error?.message).toMatch(/its \d+ bytes grow to more than/)
  })
})
