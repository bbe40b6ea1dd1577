import { DomainError } from './errors.ts'

/**
 * A place in the log, the same for receipts, rows, live messages and history.
 *
 * It holds, for each stream (one partition of a topic, or `log` for a log that has one total order), the offset of the
 * last event it includes. A stream that is not named is at its beginning. Text form: the log's id, then
 * `~<stream>.<offset in base 36>` for each stream, or `~` alone for the beginning; only characters that a URL takes
 * unescaped, opaque to callers.
 *
 * One event may give two messages, a change and the news of a conflict. The last one has the event's place, the one before
 * it the place "the event, but for its last message": half an offset less, so that places compare as numbers do, and in
 * text the event's offset and a `-`. Whoever asks which events a position includes takes `eventAt` of it.
 */
export interface Position {
  readonly log: string
  readonly offsets: ReadonlyMap<string, number>
}

/** The stream of a log whose events are all in one order. */
export const TOTAL_ORDER = 'log'

/** The name of a topic's partition inside a position. */
export function streamName(topic: string, partition: number): string {
  return `${topic}-${partition}`
}

/** The topic that a stream belongs to. */
export function topicOfStream(stream: string): string {
  return stream.slice(0, stream.lastIndexOf('-'))
}

export function positionAt(log: string, stream: string, offset: number): Position {
  return { log, offsets: new Map([[stream, offset]]) }
}

/** The place of an event's message that is not its last. */
export function butForLast(offset: number): number {
  return offset - 0.5
}

/** The last event that a place includes, be it but for its last message. */
export function eventAt(place: number): number {
  // Of -0.5 it is 0, and not the -0 that Math.ceil gives.
  return Math.ceil(place) + 0
}

export function encodePosition(position: Position): string {
  let text = position.log
  for (const [stream, offset] of position.offsets) if (offset > -1) text += `~${stream}.${encodeOffset(offset)}`
  return text === position.log ? `${text}~` : text
}

/** Encodes a position again and again where only one stream's offset differs. */
export function placesOf(position: Position, stream: string): (offset: number) => string {
  let [before, after] = [position.log, '']
  let met = false
  for (const [name, offset] of position.offsets) {
    if (name === stream) met = true
    else if (offset >= 0 && met) after += `~${name}.${encodeOffset(offset)}`
    else if (offset >= 0) before += `~${name}.${encodeOffset(offset)}`
  }
  return offset => `${before}~${stream}.${offset.toString(36)}${after}`
}

function encodeOffset(offset: number): string {
  return Number.isInteger(offset) ? offset.toString(36) : `${eventAt(offset).toString(36)}-`
}

const PART = /^([A-Za-z0-9._-]{1,200})\.([0-9a-z]{1,11})(-?)$/
const MAX_STREAMS = 1000

/** Reads a position's text, of whatever log. Throws VALIDATION_ERROR naming `field` when it is not one. */
export function parsePosition(text: string, field: string): Position {
  const [id, ...parts] = text.split('~')
  const offsets = new Map<string, number>()
  if (parts.length === 1 && parts[0] === '') parts.pop()
  else if (parts.length === 0 || parts.length > MAX_STREAMS) throw notAPosition(field, text)
  for (const part of parts) {
    const match = PART.exec(part)
    const offset = match ? Number.parseInt(match[2]!, 36) : Number.NaN
    const half = match?.[3] === '-'
    const place = half ? butForLast(offset) : offset
    // No log has come as far as where numbers have no halves any more.
    if (!Number.isSafeInteger(offset) || (half && Number.isInteger(place))) throw notAPosition(field, text)
    offsets.set(match![1]!, place)
  }
  return { log: id!, offsets }
}

/** Reads a position's text. Throws VALIDATION_ERROR naming `field` when it is not one, or belongs to another log. */
export function decodePosition(text: string, log: string, field: string): Position {
  const position = parsePosition(text, field)
  if (position.log !== log) throw ofAnotherLog(position, log, field)
  return position
}

export function ofAnotherLog(position: Position, log: string, field: string): DomainError {
  const message = `the position belongs to log ${position.log.slice(0, 40)}, this is log ${log}`
  return new DomainError('VALIDATION_ERROR', `${field}: ${message}`, { details: [{ field, message }] })
}

function notAPosition(field: string, text: string): DomainError {
  const shown = text.length > 60 ? `${text.slice(0, 60)}…` : text
  const message = `"${shown}" is not a position; send back one that this API gave out`
  return new DomainError('VALIDATION_ERROR', `${field}: ${message}`, { details: [{ field, message }] })
}

/** The offset that `position` has reached in a stream, -1 for none. */
export function offsetIn(position: Position, stream: string): number {
  return position.offsets.get(stream) ?? position.offsets.get(TOTAL_ORDER) ?? -1
}

/** Whether a position is one number for the whole log rather than one for each stream. */
export function isTotal(position: Position): boolean {
  return position.offsets.has(TOTAL_ORDER)
}

/** The least position that includes both. */
export function mergePositions(a: Position, b: Position): Position {
  const offsets = new Map(a.offsets)
  for (const [stream, offset] of b.offsets) offsets.set(stream, Math.max(offset, offsets.get(stream) ?? -1))
  return { log: a.log, offsets }
}
