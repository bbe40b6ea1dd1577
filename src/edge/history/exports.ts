import { ByteWriter, ParquetWriter } from 'hyparquet-writer'
import { storable } from '../../kernel/projection.ts'
import { type HistoryEvent, jsonOf } from './events.ts'

/** Writes events in one format, piece by piece. */
export interface Encoder {
  add(event: HistoryEvent): void
  /** Characters or bytes that wait to be taken, about. */
  readonly size: number
  /** What is ready to be sent. */
  take(): string | Buffer
  /** The rest. */
  end(): string | Buffer
}

export interface ExportFormat {
  readonly contentType: string
  /** What is sent at once, in characters, about. */
  readonly chunk: number
  encoder(): Encoder
}

const TEXT_CHUNK = 65_536
/** A row group: the more the better to read, and what one export holds in memory. */
const GROUP_CHUNK = 4_194_304

const COLUMNS = ['id', 'topic', 'type', 'key', 'position', 'time', 'payload'] as const

/** A format that is text, a line for each event. */
function lines(head: string, lineOf: (event: HistoryEvent) => string): Encoder {
  let text = head
  const take = () => {
    const taken = text
    text = ''
    return taken
  }
  return {
    add(event) {
      text += lineOf(event)
    },
    get size() {
      return text.length
    },
    take,
    end: take,
  }
}

/** As RFC 4180 has it. Readers of csv stumble over a NUL, which keys have between their parts: it is U+FFFD here. */
function csvLine(event: HistoryEvent): string {
  return `${COLUMNS.map(column => csvField(storable(event[column]))).join(',')}\r\n`
}

function csvField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

/** Row groups of what was added between two calls of `take`; the names and the order of columns as in JSON. */
function parquet(): Encoder {
  const writer = new ByteWriter()
  const schema = [
    { name: 'root', num_children: COLUMNS.length },
    ...COLUMNS.map(
      name => ({ name, type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' }) as const,
    ),
  ]
  const file = new ParquetWriter({ writer, schema, createdBy: 'superinsight-sync' })
  let events: HistoryEvent[] = []
  let size = 0

  function written(): Buffer {
    const bytes = Buffer.from(writer.getBytes())
    writer.index = 0
    return bytes
  }

  function take(): Buffer {
    if (events.length > 0) {
      file.write({
        columnData: COLUMNS.map(name => ({ name, data: events.map(event => event[name]) })),
        rowGroupSize: events.length,
      })
      events = []
      size = 0
    }
    return written()
  }

  return {
    add(event) {
      events.push(event)
      size += event.payload.length + event.position.length + event.key.length
    },
    get size() {
      return size
    },
    take,
    end() {
      const last = take()
      file.finish()
      return Buffer.concat([last, written()])
    },
  }
}

const formats: Readonly<Record<string, ExportFormat>> = {
  ndjson: {
    contentType: 'application/x-ndjson',
    chunk: TEXT_CHUNK,
    encoder: () => lines('', event => `${jsonOf(event)}\n`),
  },
  csv: {
    contentType: 'text/csv; charset=utf-8; header=present',
    chunk: TEXT_CHUNK,
    encoder: () => lines(`${COLUMNS.join(',')}\r\n`, csvLine),
  },
  parquet: { contentType: 'application/vnd.apache.parquet', chunk: GROUP_CHUNK, encoder: parquet },
}

export const FORMATS = Object.keys(formats)

export function findFormat(name: string): ExportFormat | undefined {
  return Object.hasOwn(formats, name) ? formats[name] : undefined
}
