import { type Answer, call, type Problem, type Target } from './api.ts'

export interface ShownWebhook {
  id: string
  name: string
  dataset: string
  schema: object | null
  record_id: string | null
  signature: { scheme: string; secret?: string | string[] }
  enabled: boolean
  url: string
  created_at: string
}

export interface Delivered extends Partial<Problem> {
  received: boolean
  webhook_id: string
  event_id: string
  position: string
}

/** A refused row as `/rejected` shows it. */
export interface Rejected {
  id: string
  dataset: string
  source: string
  stage: string
  code: string
  field: string | null
  message: string
  record_id: string | null
  status: 'open' | 'replayed'
  original: string
  original_encoding: 'utf8' | 'base64'
  webhook_id: string | null
  position: string
  replay?: { position: string }
}

/** Makes a webhook, which must work, and gives it back as it was answered. */
export async function makeWebhook(service: Target, body: object): Promise<ShownWebhook> {
  const made = await call<ShownWebhook>(service, '/webhooks', { body: { name: 'tests', dataset: 'hooks', ...body } })
  if (made.status !== 201) throw new Error(`${made.status} ${made.text}`)
  return made.body
}

/** One delivery to a webhook, without a token unless one is given. */
export function deliver(
  service: Target,
  id: string,
  body: string | Buffer,
  headers: Record<string, string> = {},
  as: string | null = null,
): Promise<Answer<Delivered>> {
  const type = { 'content-type': 'application/json' }
  return call<Delivered>(service, `/push/webhook/${id}`, { method: 'POST', body, headers: { ...type, ...headers }, as })
}

/** The refused rows of a data set, once all that was pushed before is in the read model. */
export async function rejectedOf(service: Target, query: string): Promise<Rejected[]> {
  // A row that is refused after the others: its receipt says how far to wait.
  const body = { source: 'tests', dataset: 'last', records: [{}] }
  const { body: last } = await call<{ position: string }>(service, '/push/batch', { body })
  const path = `/rejected?limit=1000&min_position=${last.position}&${query}`
  const { status, body: page, text } = await call<{ items: Rejected[] }>(service, path)
  if (status !== 200) throw new Error(`${status} ${text}`)
  return page.items
}
