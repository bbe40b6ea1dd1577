import { type Answer, call, type Item, type Problem, type PushAnswer, type Target } from './api.ts'

export interface Conflict {
  id: string
  dataset: string
  record_id: string
  type: string
  status: 'open' | 'resolved'
  current: Record<string, unknown> | null
  incoming: Record<string, unknown> | null
  position: string
  resolution: string | null
  policy: string
  fields: string[]
  source: string
  current_version: number
  incoming_version: number | null
  detected_at: string
  resolved_by: string | null
  resolved_at: string | null
}

export interface ConflictPage {
  items: Conflict[]
  next_cursor: string | null
}

/** Sets what a data set does with conflicts, and perhaps more. */
export function setPolicy(target: Target, dataset: string, conflict_policy: unknown, more: object = {}) {
  return call<Problem & { conflict_policy: unknown }>(target, `/datasets/${dataset}`, {
    method: 'PUT',
    body: { conflict_policy, ...more },
  })
}

/** Pushes one record, as JSON text or as an object. Throws unless it is accepted. */
export async function pushOne(target: Target, dataset: string, record: object | string, options: object = {}) {
  const text = typeof record === 'string' ? record : JSON.stringify(record)
  const body = `{"source":"tests","dataset":"${dataset}","records":[${text}],"options":${JSON.stringify(options)}}`
  const headers = { 'content-type': 'application/json' }
  const answer = await call<PushAnswer>(target, '/push/batch', { body, headers })
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`)
  return answer.body.position
}

/** A record as it is at a position; undefined when it is not there. */
export async function recordAt(target: Target, dataset: string, id: string, position: string) {
  const answer = await call<Item>(target, `/datasets/${dataset}/records/${id}?min_position=${position}`)
  return answer.status === 404 ? undefined : answer.body
}

/** The conflicts of a data set at a position. */
export async function conflictsAt(target: Target, dataset: string, position: string, query = ''): Promise<Conflict[]> {
  const path = `/conflicts?dataset=${encodeURIComponent(dataset)}&limit=1000&min_position=${position}${query}`
  const answer = await call<ConflictPage>(target, path)
  if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`)
  return answer.body.items
}

export function resolve(target: Target, id: string, body: object | string): Promise<Answer<Conflict & Problem>> {
  const headers = { 'content-type': 'application/json' }
  return call(target, `/conflicts/${id}/resolve`, { body, headers })
}

export function reopen(target: Target, id: string): Promise<Answer<Conflict & Problem>> {
  return call(target, `/conflicts/${id}/reopen`, { method: 'POST' })
}
