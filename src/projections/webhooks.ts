import type { Events, WebhookConfigured } from '../events/index.ts'

/** Which webhooks there are, folded from `sync.webhooks`. Every edge keeps it in memory: each delivery asks it. */
export type WebhookView = Map<string, WebhookConfigured>

/** Takes an event into the view; events of other nouns change nothing. */
export function evolveWebhooks(view: WebhookView, type: keyof Events, event: Events[keyof Events]): void {
  if (type === 'WebhookConfigured') {
    const webhook = event as WebhookConfigured
    view.set(webhook.webhook_id, webhook)
  } else if (type === 'WebhookDeleted') view.delete((event as Events['WebhookDeleted']).webhook_id)
}
