/** What every edge keeps in memory: webhooks, and what was set for data sets. */
import { describe, expect, it } from 'vitest'
import type { DatasetConfigured, WebhookConfigured } from '../../src/events/index.ts'
import { evolveSettings, type SettingsView, settings, settingsProjection } from '../../src/projections/settings.ts'
import { evolveWebhooks, type WebhookView } from '../../src/projections/webhooks.ts'
import { foldedTables } from '../kit/fold.ts'
import { randomSettings } from '../kit/made-events.ts'
import { property } from '../kit/random.ts'

const webhook = (id: string, name: string): WebhookConfigured => ({
  ...{ command_id: 'cmd_1', webhook_id: id, name, dataset: 'd', schema: null, record_id: null, scheme: 'none' },
  ...{ secrets: [], enabled: true, created_at: 1, by: 'cli_1', at: 1 },
})

describe('the view of webhooks', () => {
  it('has each webhook as it was configured last, until it is deleted', () => {
    const view: WebhookView = new Map()
    evolveWebhooks(view, 'WebhookConfigured', webhook('wh_1', 'first'))
    evolveWebhooks(view, 'WebhookConfigured', webhook('wh_2', 'second'))
    evolveWebhooks(view, 'WebhookConfigured', webhook('wh_1', 'changed'))
    expect([...view].map(([id, { name }]) => [id, name])).toEqual([
      ['wh_1', 'changed'],
      ['wh_2', 'second'],
    ])
    const removed = { command_id: 'c', webhook_id: 'wh_1', by: 'b', at: 2 }
    evolveWebhooks(view, 'WebhookDeleted', removed)
    evolveWebhooks(view, 'WebhookDeleted', removed)
    expect([...view.keys()]).toEqual(['wh_2'])
  })

  it('is not touched by events of other nouns', () => {
    const view: WebhookView = new Map()
    evolveWebhooks(view, 'ApiKeyRevoked', { command_id: 'c', key_id: 'wh_1', revoked_by: 'b', at: 2 })
    expect(view.size).toBe(0)
  })
})

describe('settings of data sets', () => {
  it('are the same in the view as in the read store, and the last ones', () =>
    property(50, random => {
      const events = randomSettings(random, 60)
      const tables = foldedTables(settingsProjection)
      tables.fold(events)
      const view: SettingsView = new Map()
      for (const { event } of events) evolveSettings(view, 'DatasetConfigured', event as DatasetConfigured)
      const rows = tables.rows(settings)
      expect(rows.map(({ dataset }) => dataset).sort()).toEqual([...view.keys()].sort())
      for (const { stream, offset, updated_at, title, category, ...row } of rows) {
        const set = view.get(row.dataset as string)!
        expect(set).toMatchObject(row)
        expect([title, category]).toEqual(
          [set.title, set.category].map(text => text?.replaceAll('\0', '\ufffd') ?? null),
        )
        const last = events.findLast(({ event }) => (event as DatasetConfigured).dataset === row.dataset)!
        expect([updated_at, stream, offset]).toEqual([set.at, last.source.stream, last.source.offset])
      }
    }))
})
