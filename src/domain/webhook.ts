import type { Events } from '../events/index.ts'
import { accept, type CommandMeta, type Decider, refuse } from '../kernel/decider.ts'

type WebhookEventName = 'WebhookConfigured' | 'WebhookDeleted'
export type WebhookEvent = { [Name in WebhookEventName]: { type: Name; data: Events[Name] } }[WebhookEventName]

type Settings = Omit<Events['WebhookConfigured'], 'command_id' | 'by' | 'at' | 'created_at'>

/** `was`: only while the references to its secrets are these, so that nobody keeps one that somebody else has replaced. */
export type WebhookCommand =
  | { type: 'CreateWebhook'; data: Settings }
  | { type: 'UpdateWebhook'; data: Settings & { readonly was: readonly string[] } }
  | { type: 'DeleteWebhook'; data: { webhook_id: string } }

export type WebhookState =
  | { readonly is: 'absent' }
  | { readonly is: 'there'; readonly createdAt: number; readonly secrets: readonly string[] }
  | { readonly is: 'deleted' }

/** One webhook. Deliveries to it are records, and no concern of its own. */
export const webhookDecider: Decider<WebhookState, WebhookCommand & { meta: CommandMeta }, WebhookEvent> = {
  initial: { is: 'absent' },

  evolve(_state, { type, data }) {
    if (type === 'WebhookDeleted') return { is: 'deleted' }
    return { is: 'there', createdAt: data.created_at, secrets: data.secrets }
  },

  decide(state, { type, data, meta }) {
    const stamp = { command_id: meta.command_id, by: meta.actor, at: meta.at }
    const { webhook_id } = data
    if (type === 'CreateWebhook') {
      if (state.is !== 'absent') return refuse('CONFLICT', `webhook ${webhook_id} exists already`)
      return accept({ type: 'WebhookConfigured', data: { ...data, ...stamp, created_at: meta.at } })
    }
    if (state.is !== 'there') return refuse('NOT_FOUND', `there is no webhook ${webhook_id}`)
    switch (type) {
      case 'UpdateWebhook': {
        const { was, ...settings } = data
        if (was.join() !== state.secrets.join()) {
          return refuse('CONFLICT', `the secrets of webhook ${webhook_id} have been changed meanwhile`)
        }
        return accept({ type: 'WebhookConfigured', data: { ...settings, ...stamp, created_at: state.createdAt } })
      }
      case 'DeleteWebhook':
        return accept({ type: 'WebhookDeleted', data: { ...stamp, webhook_id } })
    }
  },
}
