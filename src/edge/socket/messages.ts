import type { ConflictTold, RecordChanged } from '../../events/index.ts'
import type { Seen, Told } from './changes.ts'

/** A message on its way out. */
export type Text = string | Buffer

/** A message to a client. Every one has a type, a payload, a time and a position. */
export function message(
  type: string,
  payload: object,
  position: string,
  more: { subscription_id?: string } = {},
): string {
  return JSON.stringify({ type, payload, timestamp: new Date().toISOString(), position, ...more })
}

const POSITION = '"position":"'

/** The position that a message carries: inside of a string its quotes would be escaped, and no object comes after it. */
export function positionIn(text: string): string {
  const start = text.lastIndexOf(POSITION) + POSITION.length
  return text.slice(start, text.indexOf('"', start))
}

/** Of all messages the ones that a client can do without: the next one of the same job says more. */
export function isProgress(type: string): boolean {
  return type === 'sync_progress'
}

/** The message of a change or of a conflict's news, as the API documents it. */
export function textOf(told: Told, position: string): string {
  told.head ??= told.type === 'RecordChanged' ? changeHead(told.data) : newsHead(told.data)
  return `${told.head}${position}"}`
}

/** The same for someone who has seen this last. Where the position is the same for all who have, so is what they are sent. */
export function encodeFor(told: Told, seen: Seen): Text {
  if (!seen.oneStream) return textOf(told, seen.position())
  told.bytes ??= Buffer.from(textOf(told, seen.position()))
  return told.bytes
}

/** Old and new values go out as they were pushed, so no number is rounded. */
function changeHead({ dataset, id, operation, changes, changed_at }: RecordChanged): string {
  const record = `"table":${JSON.stringify(dataset)},"record_id":${JSON.stringify(id)}`
  return head('record_change', `{"operation":"${operation}",${record},"changes":${changes}}`, changed_at)
}

function newsHead({ news, conflict_id, dataset, id, told_at, ...told }: ConflictTold): string {
  const { conflict_type, resolution_required, resolution } = told
  const about = { conflict_id, record_id: id, table: dataset }
  const more = news === 'detected' ? { conflict_type, resolution_required } : { resolution }
  return head(`conflict_${news}`, JSON.stringify({ ...about, ...more }), told_at)
}

function head(type: string, payload: string, time: number): string {
  return `{"type":"${type}","payload":${payload},"timestamp":"${new Date(time).toISOString()}","position":"`
}
