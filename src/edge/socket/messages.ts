import type { RecordChanged } from '../../events/index.ts'

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
export function positionOf(text: string): string {
  const start = text.lastIndexOf(POSITION) + POSITION.length
  return text.slice(start, text.indexOf('"', start))
}

/** How the text of every change begins. */
const CHANGE = '{"type":"record_change",'

/** A change as the API documents it. Old and new values go out as they were pushed, so no number is rounded. */
export function changeMessage(change: RecordChanged, position: string): string {
  const table = JSON.stringify(change.dataset)
  const id = JSON.stringify(change.id)
  const payload = `{"operation":"${change.operation}","table":${table},"record_id":${id},"changes":${change.changes}}`
  const timestamp = new Date(change.changed_at).toISOString()
  return `${CHANGE}"payload":${payload},"timestamp":"${timestamp}","position":"${position}"}`
}
