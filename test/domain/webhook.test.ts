import { describe, it } from 'vitest'
import { type WebhookCommand, type WebhookEvent, webhookDecider } from '../../src/domain/webhook.ts'
import type { CommandMeta } from '../../src/kernel/decider.ts'
import type { ErrorCode } from '../../src/kernel/errors.ts'
import { specification } from '../kit/given.ts'

const given = specification(webhookDecider)

const NOW = 1_750_000_060_000
const MADE = NOW - 60_000
const past = { command_id: 'cmd_past', by: 'cli_1', at: MADE }
const meta: CommandMeta = { command_id: 'cmd_now', actor: 'cli_2', request_id: 'req_now', at: NOW }
const stamp = { command_id: 'cmd_now', by: 'cli_2', at: NOW }

const SETTINGS = {
  webhook_id: 'wh_1',
  name: 'till',
  dataset: 'sales',
  schema: '{"type":"object"}',
  record_id: '/id',
  scheme: 'standard' as const,
  secrets: ['sec_1'],
  enabled: true,
}
const CHANGED = { ...SETTINGS, name: 'the other till', secrets: ['sec_2', 'sec_3'], enabled: false }

const configured: WebhookEvent = { type: 'WebhookConfigured', data: { ...SETTINGS, ...past, created_at: MADE } }
const changed: WebhookEvent = {
  type: 'WebhookConfigured',
  data: { ...CHANGED, secrets: ['sec_1'], ...past, created_at: MADE },
}
const removed: WebhookEvent = { type: 'WebhookDeleted', data: { webhook_id: 'wh_1', ...past } }

const STATES = {
  absent: [],
  there: [configured],
  'there and changed': [configured, changed],
  deleted: [configured, removed],
} as const satisfies Record<string, readonly WebhookEvent[]>

const create: WebhookCommand = { type: 'CreateWebhook', data: SETTINGS }
const update: WebhookCommand = { type: 'UpdateWebhook', data: { ...CHANGED, was: ['sec_1'] } }
const remove: WebhookCommand = { type: 'DeleteWebhook', data: { webhook_id: 'wh_1' } }

const made: WebhookEvent = { type: 'WebhookConfigured', data: { ...SETTINGS, ...stamp, created_at: NOW } }
const updated: WebhookEvent = { type: 'WebhookConfigured', data: { ...CHANGED, ...stamp, created_at: MADE } }
const gone: WebhookEvent = { type: 'WebhookDeleted', data: { webhook_id: 'wh_1', ...stamp } }

/** What each command makes of each state: create, update, delete. */
const TABLE: Record<keyof typeof STATES, readonly (WebhookEvent | ErrorCode)[]> = {
  absent: [made, 'NOT_FOUND', 'NOT_FOUND'],
  there: ['CONFLICT', updated, gone],
  'there and changed': ['CONFLICT', updated, gone],
  deleted: ['CONFLICT', 'NOT_FOUND', 'NOT_FOUND'],
}

for (const [state, events] of Object.entries(STATES)) {
  describe(`given a webhook that is ${state}`, () => {
    for (const [n, command] of [create, update, remove].entries()) {
      const outcome = TABLE[state as keyof typeof STATES][n]!
      it(`${command.type} gives ${typeof outcome === 'string' ? outcome : outcome.type}`, () => {
        const when = given(...events).when({ ...command, meta })
        if (typeof outcome === 'string') when.thenRefused(outcome)
        else when.then(outcome)
      })
    }
  })
}

describe('changing a webhook whose secrets somebody else has changed meanwhile', () => {
  const others: WebhookEvent = {
    type: 'WebhookConfigured',
    data: { ...SETTINGS, secrets: ['sec_9'], ...past, created_at: MADE },
  }

  it('is refused: what it would keep is gone', () => {
    given(configured, others)
      .when({ ...update, meta })
      .thenRefused('CONFLICT')
    given(configured, changed)
      .when({ type: 'UpdateWebhook', data: { ...CHANGED, was: [] }, meta })
      .thenRefused('CONFLICT')
    given(configured, changed)
      .when({ type: 'UpdateWebhook', data: { ...CHANGED, was: ['sec_1', 'sec_2'] }, meta })
      .thenRefused('CONFLICT')
  })
})
