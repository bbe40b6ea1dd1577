import { instantText } from '../../formats/time.ts'
import type { RecordedEvent } from './reading.ts'

/** An event as a record's data. */
export interface EventRecord {
  readonly id: string
  /** The JSON text of an object. */
  readonly data: string
  /** Whether the event says that it is JSON and is not. */
  readonly isMislabelled: boolean
}

const JSON_TYPE = 'application/json'
const BYTES_TYPE = 'application/octet-stream'
const TICKS_DIGITS = 7

const utf8 = new TextDecoder('utf-8', { fatal: true })

/**
 * `{id, type, stream, revision, created, data, metadata}`. What is JSON stays as its bytes are, so that no number and no
 * order of members is lost; what is not is base64, with its `content_type`. Nothing at all is null.
 */
export function recordOf(event: RecordedEvent): EventRecord {
  const said = event.getMetadataMap()
  const id = idOf(event)
  const contentType = said.get('content-type') ?? BYTES_TYPE
  const bytes = event.getData_asU8()
  const json = contentType === JSON_TYPE ? jsonOf(bytes) : undefined
  const metadataBytes = event.getCustomMetadata_asU8()
  const metadata = jsonOf(metadataBytes)
  const members = [
    `"id":${JSON.stringify(id)}`,
    `"type":${JSON.stringify(said.get('type') ?? '')}`,
    `"stream":${JSON.stringify(streamOf(event))}`,
    `"revision":${event.getStreamRevision()}`,
    `"created":${createdText(said.get('created'))}`,
    `"data":${json ?? base64(bytes)}`,
    `"metadata":${metadata ?? base64(metadataBytes)}`,
  ]
  if (json === undefined) members.push(`"content_type":${JSON.stringify(contentType)}`)
  if (metadata === undefined) members.push(`"metadata_content_type":"${BYTES_TYPE}"`)
  return { id, data: `{${members.join(',')}}`, isMislabelled: contentType === JSON_TYPE && json === undefined }
}

function streamOf(event: RecordedEvent): string {
  return Buffer.from(event.getStreamIdentifier()?.getStreamName_asU8() ?? []).toString()
}

/** `7@orders-1`, as the database writes a link. No two events have the same one. */
export function placeText(event: RecordedEvent): string {
  return `${event.getStreamRevision()}@${streamOf(event)}`
}

export function typeOf(event: RecordedEvent): string {
  return event.getMetadataMap().get('type') ?? ''
}

/** JSON text, as it is; undefined for what is none. */
function jsonOf(bytes: Uint8Array): string | undefined {
  if (bytes.length === 0) return 'null'
  try {
    const text = utf8.decode(bytes)
    JSON.parse(text)
    return text
  } catch {
    return undefined
  }
}

function base64(bytes: Uint8Array): string {
  return `"${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64')}"`
}

/** Ticks of 100 ns since 1970, too many for a JavaScript number. */
function createdText(ticks: string | undefined): string {
  if (ticks === undefined || !/^\d{1,19}$/.test(ticks)) return 'null'
  const seconds = Number(ticks.slice(0, -TICKS_DIGITS))
  return `"${instantText(seconds, Number(ticks.slice(-TICKS_DIGITS)), TICKS_DIGITS)}"`
}

function idOf(event: RecordedEvent): string {
  const uuid = event.getId()
  const bits = uuid?.getStructured()
  if (!bits) return uuid?.getString() ?? ''
  const halves = [bits.getMostSignificantBits(), bits.getLeastSignificantBits()]
  const digits = halves.map(half => BigInt.asUintN(64, BigInt(half)).toString(16).padStart(16, '0')).join('')
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
