import type { RecordRejected, RejectionReplayed } from '../events/index.ts'
import { type Projection, type Row, storable, type Table } from '../kernel/projection.ts'

/** Every row that was refused. `original` is its bytes: as they are when they are text that a database takes, else base64. */
export const rejections: Table = {
  name: 'rejections',
  columns: {
    id: 'text',
    dataset: 'text',
    source: 'text',
    stage: 'text',
    code: 'text',
    field: 'text',
    message: 'text',
    value: 'text',
    record_id: 'text',
    original: 'text',
    original_encoding: 'text',
    original_bytes: 'integer',
    data: 'text',
    data_only: 'integer',
    id_at: 'text',
    text_only: 'integer',
    job_id: 'text',
    webhook_id: 'text',
    request_id: 'text',
    line: 'integer',
    at: 'integer',
    stream: 'text',
    offset: 'integer',
    upsert: 'integer',
    validate: 'integer',
    transform: 'integer',
  },
  key: ['id'],
  indexes: [['dataset', 'id']],
}

/** Which of them were sent again and taken: on another topic, so in a table of its own. */
export const replays: Table = {
  name: 'replays',
  columns: { id: 'text', at: 'integer', stream: 'text', offset: 'integer' },
  key: ['id'],
}

const decoder = new TextDecoder('utf-8', { fatal: true })

/** Bytes as text, exactly: `utf8` as they are, or `base64` when they are not UTF-8 or hold a NUL, which no database's text may. */
export function shownBytes(bytes: Uint8Array): { original: string; original_encoding: 'utf8' | 'base64' } {
  const utf8 = decoded(bytes)
  if (utf8 !== undefined && !utf8.includes('\0')) return { original: utf8, original_encoding: 'utf8' }
  return { original: base64(bytes), original_encoding: 'base64' }
}

function decoded(bytes: Uint8Array): string | undefined {
  // A mark at the beginning is part of the bytes, and the decoder would take it away.
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return undefined
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}

function base64(bytes: Uint8Array): string {
  let binary = ''
  for (let at = 0; at < bytes.length; at += 8192) binary += String.fromCharCode(...bytes.subarray(at, at + 8192))
  return btoa(binary)
}

/** The id of the rejection that a replay's key names: `rejection/<id>`. */
function replayed(key: string): string {
  return key.slice(key.indexOf('/') + 1)
}

export const rejectionsProjection: Projection<RecordRejected | RejectionReplayed> = {
  name: 'rejections',
  version: 1,
  topics: ['sync.rejected', 'sync.replays'],
  tables: [rejections, replays],
  wants({ key }, want) {
    if (key.startsWith('rejection/')) want(replays, replayed(key))
    else want(rejections, key)
  },
  evolve(rows, event, { stream, offset, key }) {
    if ('rejection_id' in event) {
      if (!rows.get(replays, event.rejection_id)) {
        rows.put(replays, event.rejection_id, { id: event.rejection_id, at: event.at, stream, offset })
      }
      return
    }
    const { dataset, source, stage, code, original, job_id, webhook_id } = event
    const [field, message] = [storable(event.field), storable(event.message)]
    const [value, record_id] = [storable(event.value), storable(event.record_id)]
    const row: Row = {
      ...{ id: key, dataset, source, stage, code, field, message, value, record_id },
      ...shownBytes(original),
      original_bytes: event.original_bytes,
      data: storable(event.data),
      ...{ data_only: event.data_only ? 1 : 0, id_at: storable(event.id_at), text_only: event.text_only ? 1 : 0 },
      ...{ job_id, webhook_id, request_id: event.request_id, line: event.line, at: event.received_at, stream, offset },
      ...{ upsert: event.upsert ? 1 : 0, validate: event.validate ? 1 : 0, transform: event.transform ? 1 : 0 },
    }
    rows.put(rejections, key, row)
  },
}
