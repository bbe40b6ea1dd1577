/** Exports of the history, read by what analysts have: pyarrow and DuckDB. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readTopics } from '../../src/adapters.ts'
import { readEvents } from '../../src/edge/history/events.ts'
import { findFormat } from '../../src/edge/history/exports.ts'
import { readRange } from '../../src/edge/history/range.ts'
import { schemas, topicOf } from '../../src/events/index.ts'
import { createCodec } from '../../src/log/codec.ts'
import { pushBatch, pushLines } from '../kit/api.ts'
import { batchesOf, everyEvent } from '../kit/every-event.ts'
import { available, randomFor } from '../kit/faults.ts'
import { openLogAt } from '../kit/logs.ts'
import { pythonPrograms, READERS } from '../kit/python.ts'
import { removeData, startService, untilProjected } from '../kit/service.ts'

const python = findPython()
function findPython(): string | undefined {
  try {
    return pythonPrograms(READERS)
  } catch (error) {
    available('parquet in pyarrow and DuckDB', `It needs Python 3 with venv, and PyPI: ${(error as Error).message}`)
    return undefined
  }
}

const SCRIPT = new URL('../kit/read_parquet.py', import.meta.url).pathname
const COLUMNS = ['id', 'topic', 'type', 'key', 'position', 'time', 'payload']
const PAYLOAD = '"payload":'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sync-parquet-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The rows that an NDJSON export says; the payload as the text that it is. */
function rowsOf(ndjson: string): string[][] {
  return ndjson
    .split('\n')
    .filter(Boolean)
    .map(line => {
      const event = JSON.parse(line) as Record<string, string>
      const at = line.indexOf(PAYLOAD) + PAYLOAD.length
      return COLUMNS.map(column => (column === 'payload' ? line.slice(at, -1) : event[column]!))
    })
}

function expectEqual(parquet: Buffer, ndjson: string): void {
  const file = join(folder, 'events.parquet')
  writeFileSync(file, parquet)
  const printed = execFileSync(join(python!, 'python'), [SCRIPT, file], { maxBuffer: 2 ** 30 }).toString()
  const rows = rowsOf(ndjson)
  const readers = printed
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as { reader: string; columns: string[]; rows: string[][] })
  expect(readers.map(({ reader }) => reader)).toEqual(['pyarrow', 'duckdb'])
  for (const { reader, columns, rows: read } of readers) {
    expect([reader, columns]).toEqual([reader, COLUMNS])
    expect([reader, read.length]).toEqual([reader, rows.length])
    for (const [n, row] of rows.entries()) expect([reader, n, read[n]]).toEqual([reader, n, row])
  }
}

describe.skipIf(!python)('a parquet export', () => {
  it('has events of every type as NDJSON has them, whatever is in them', async () => {
    const random = randomFor('parquet exports')
    const log = await openLogAt(`embedded:${join(folder, 'log.db')}`)
    await log.declare(readTopics(), schemas)
    const codec = createCodec(log)
    for (let n = 0; n < 3; n++) await log.append(batchesOf(codec, everyEvent(random, 10)))
    const topics = [...new Set(Object.values(topicOf))]
    const [parquet, ndjson] = [findFormat('parquet')!.encoder(), findFormat('ndjson')!.encoder()]
    const pieces: Buffer[] = []
    let [text, count] = ['', 0]
    const asked = { topics, types: undefined, key: undefined }
    const range = await readRange(log, topics)
    for await (const seen of readEvents(log, codec, asked, range, new AbortController().signal)) {
      for (const { event } of seen) {
        for (const encoder of [parquet, ndjson]) encoder.add(event!)
        // Many row groups.
        if (++count % 100 === 0) pieces.push(Buffer.from(parquet.take()))
      }
      text += ndjson.take()
    }
    pieces.push(Buffer.from(parquet.end()))
    await log.stop()
    expect(new Set(rowsOf(text).map(([, , type]) => type))).toEqual(new Set(Object.keys(schemas)))
    expectEqual(Buffer.concat(pieces), text)
  })

  it('comes so over HTTP', async () => {
    const service = await startService()
    try {
      const lines = Array.from(
        { length: 20_000 },
        (_, n) => `{"id":"r${n}","data":{"n":${n}.10,"t":"${'ä'.repeat(200)}"}}`,
      )
      await pushBatch(service, 'a', [{ id: 'x', data: { big: '12345678901234567890.000', not: null, nan: 'NaN' } }, {}])
      const { body } = await pushLines(service, 'dataset=b', lines.join('\n'))
      await untilProjected(service, body.position)
      const fetched = async (format: string) => {
        const headers = { authorization: `Bearer ${service.token}` }
        const answer = await fetch(`${service.url}/events/export?to=${body.position}&format=${format}`, { headers })
        return Buffer.from(await answer.arrayBuffer())
      }
      expectEqual(await fetched('parquet'), (await fetched('ndjson')).toString())
    } finally {
      await service.stop()
      removeData(service)
    }
  })
})
